"""Events on their way to the ledger, on disk until they are acknowledged."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ._disk import Folder, open_spool
from .errors import SpoolFull

_schema = """
create table if not exists event (offset integer primary key autoincrement, body blob not null);
create table if not exists refused (
  offset integer primary key, body blob not null, reason text not null, field text not null, message text not null,
  refused_at real not null
);
create table if not exists stream (id text not null)
"""


@dataclass(frozen=True)
class Refusal:
    """Why the service refused one event alone."""

    offset: int
    reason: str
    field: str
    message: str


class EventQueue:
    """Numbers events 1, 2, 3 …; those in it are one gapless range. Its stream's name is its own, made once:
    another queue's offsets can never be taken for its."""

    def __init__(self, folder: Folder, name: str, max_bytes: int) -> None:
        self._database = open_spool(folder, f"{name}.sqlite3", _schema)
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        if self._number("select count(*) from stream") == 0:
            self._database.execute("insert into stream values (?)", (f"{name}-{uuid.uuid4()}",))
        self.stream_id = str(self._database.execute("select id from stream").fetchone()[0])
        self._bytes = self._number("select coalesce(sum(length(body)), 0) from event")
        self.last = self._number("select coalesce(max(seq), 0) from sqlite_sequence where name = 'event'")
        # The offset up to which all are acknowledged.
        self.acknowledged = self._number(f"select coalesce(min(offset) - 1, {self.last}) from event")

    @property
    def waiting(self) -> int:
        """How many events are not acknowledged."""
        return self.last - self.acknowledged

    def append(self, bodies: Sequence[bytes]) -> None:
        """On disk, all of them, when this returns. Raises SpoolFull, and then has taken none."""
        size = sum(map(len, bodies))
        with self._lock:
            if self._bytes + size > self._max_bytes:
                raise SpoolFull(f"{self.waiting} events wait for the service, {self._bytes} of {self._max_bytes} bytes")
            with self._transaction():
                self._database.executemany("insert into event (body) values (?)", ((body,) for body in bodies))
            self._bytes += size
            self.last += len(bodies)

    def after(self, offset: int, max_items: int, max_bytes: int) -> list[bytes]:
        """The next events behind the offset: at least one if there is one."""
        with self._lock:
            rows = self._database.execute(
                "select body from event where offset > ? order by offset limit ?", (offset, max_items)
            ).fetchall()
        bodies: list[bytes] = []
        size = 0
        for (body,) in rows:
            size += len(body)
            if bodies and size > max_bytes:
                break
            bodies.append(body)
        return bodies

    def settle(self, through: int, refusals: Sequence[Refusal]) -> list[tuple[bytes, Refusal]]:
        """Lets go of what the service has. Keeps what it refused apart, and returns it."""
        with self._lock:
            refused: list[tuple[bytes, Refusal]] = []
            with self._transaction():
                for refusal in refusals:
                    row = self._database.execute(
                        "select body from event where offset = ?", (refusal.offset,)
                    ).fetchone()
                    if row is None:
                        continue
                    refused.append((row[0], refusal))
                    self._database.execute(
                        "insert into refused values (?, ?, ?, ?, ?, ?)",
                        (refusal.offset, row[0], refusal.reason, refusal.field, refusal.message, time.time()),
                    )
                (size,) = self._database.execute(
                    "select coalesce(sum(length(body)), 0) from event where offset <= ?", (through,)
                ).fetchone()
                self._database.execute("delete from event where offset <= ?", (through,))
            self.acknowledged = max(self.acknowledged, through)
            self._bytes -= size
        return refused

    def refused(self) -> list[tuple[bytes, Refusal]]:
        with self._lock:
            rows = self._database.execute(
                "select body, offset, reason, field, message from refused order by offset"
            ).fetchall()
        return [(row[0], Refusal(*row[1:])) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _number(self, query: str) -> int:
        return int(self._database.execute(query).fetchone()[0])

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._database.execute("commit" if kind is None else "rollback")
