"""Events on their way to the ledger, on disk until they are acknowledged."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ._disk import Folder, open_spool
from ._frames import Frames, batch_bytes, batch_items
from .errors import SpoolFull

_schema = """
create table if not exists part (last integer primary key autoincrement, items integer not null, body blob not null);
create table if not exists refused (
  offset integer primary key, body blob not null, reason text not null, field text not null, message text not null,
  refused_at real not null
);
create table if not exists stream (id text not null)
"""
# What is acknowledged is deleted together with what comes next; but no later than when it is so much.
_untrimmed_max_items = 16 * batch_items


@dataclass(frozen=True)
class Refusal:
    """Why the service refused one event alone."""

    offset: int
    reason: str
    field: str
    message: str


class EventQueue:
    """Numbers events 1, 2, 3 …; those in it are one gapless range, in parts as they were recorded. Its stream's name
    is its own, made once: another queue's offsets can never be taken for its."""

    def __init__(self, folder: Folder, name: str, max_bytes: int, event_at: Callable[[bytes, int], bytes]) -> None:
        """`event_at` takes an event out of a part."""
        self._event_at = event_at
        self._database = open_spool(folder, f"{name}.sqlite3", _schema)
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        if self._number("select count(*) from stream") == 0:
            self._database.execute("insert into stream values (?)", (f"{name}-{uuid.uuid4()}",))
        self.stream_id = str(self._database.execute("select id from stream").fetchone()[0])
        self._bytes = self._number("select coalesce(sum(length(body)), 0) from part")
        self.last = self._number("select coalesce(max(seq), 0) from sqlite_sequence where name = 'part'")
        # The offset up to which all are acknowledged.
        self.acknowledged = self._number(f"select coalesce(min(last - items), {self.last}) from part")
        self._trimmed = self.acknowledged

    @property
    def waiting(self) -> int:
        """How many events are not acknowledged."""
        return self.last - self.acknowledged

    def append(self, parts: Sequence[Frames]) -> None:
        """On disk, all of them, when this returns. Raises SpoolFull, and then has taken none."""
        size = sum(len(part.body) for part in parts)
        with self._lock:
            last = self.last
            with self._transaction():
                kept = self._bytes - self._delete_acknowledged()
                if kept + size > self._max_bytes:
                    raise SpoolFull(f"{self.waiting} events wait for the service, {kept} of {self._max_bytes} bytes")
                for part in parts:
                    last += part.items
                    self._database.execute("insert into part values (?, ?, ?)", (last, part.items, part.body))
            self._bytes = kept + size
            self._trimmed = self.acknowledged
            self.last = last

    def after(self, offset: int) -> tuple[int, Frames]:
        """The next batch behind the offset, and the offset of the first event in it. It may begin at an event before
        that; it has at least one if there is one."""
        bodies: list[bytes] = []
        items = size = 0
        first = offset + 1
        with self._lock:
            rows = self._database.execute("select last, items, body from part where last > ? order by last", (offset,))
            for last, more, body in rows:
                if bodies and (items + more > batch_items or size + len(body) > batch_bytes):
                    break
                if not bodies:
                    first = last - more + 1
                bodies.append(body)
                items += more
                size += len(body)
            rows.close()
        return first, Frames(items, b"".join(bodies))

    def settle(self, through: int, refusals: Sequence[Refusal]) -> list[tuple[bytes, Refusal]]:
        """Lets go of what the service has. Keeps what it refused apart, and returns it."""
        with self._lock:
            refused = [(body, refusal) for refusal in refusals for body in self._at(refusal.offset)]
            if refused:
                now = time.time()
                with self._transaction():
                    self._database.executemany(
                        "insert or replace into refused values (?, ?, ?, ?, ?, ?)",
                        ((it.offset, body, it.reason, it.field, it.message, now) for body, it in refused),
                    )
            self.acknowledged = max(self.acknowledged, through)
            if self.waiting == 0 or self.acknowledged - self._trimmed > _untrimmed_max_items:
                self._trim()
        return refused

    def refused(self) -> list[tuple[bytes, Refusal]]:
        with self._lock:
            rows = self._database.execute(
                "select body, offset, reason, field, message from refused order by offset"
            ).fetchall()
        return [(row[0], Refusal(*row[1:])) for row in rows]

    def close(self) -> None:
        with self._lock:
            self._trim()
            self._database.close()

    def _at(self, offset: int) -> list[bytes]:
        """The event of the offset; none if it is gone."""
        rows = self._database.execute(
            "select body, items - (last - ?) - 1 from part where last >= ? and last - items < ?",
            (offset, offset, offset),
        )
        return [self._event_at(body, index) for body, index in rows.fetchall()]

    def _trim(self) -> None:
        # Without a fsync: what a power cut brings back is sent again, and the service knows it.
        self._database.execute("pragma synchronous = normal")
        try:
            with self._transaction():
                self._bytes -= self._delete_acknowledged()
        finally:
            self._database.execute("pragma synchronous = full")
        self._trimmed = self.acknowledged

    def _delete_acknowledged(self) -> int:
        """Returns how many bytes that were."""
        through = (self.acknowledged,)
        size = self._number("select coalesce(sum(length(body)), 0) from part where last <= ?", through)
        self._database.execute("delete from part where last <= ?", through)
        return size

    def _number(self, query: str, values: tuple[int, ...] = ()) -> int:
        return int(self._database.execute(query, values).fetchone()[0])

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("begin immediate")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._database.execute("commit" if kind is None else "rollback")
