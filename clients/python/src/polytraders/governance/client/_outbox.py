"""What the gate still owes the service, on disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Optional

from ._disk import Folder, open_spool

# A write that was made without a verdict, or whose verdict is not on record: RecordUngatedWriteRequest.
UNGATED = "ungated"
# A write that was asked about and not made, and whose decision may be on record: CheckWriteRequest.
NOT_MADE = "not made"
# What became of a write: ConfirmWriteRequest.
CONFIRM = "confirm"

_schema = """
create table if not exists entry (
  id integer primary key autoincrement,
  kind text not null,
  body blob not null,
  applied integer not null default 0,
  held integer not null default 0,
  refused text,
  kept_at real not null
);
update entry set held = 0 where held = 1
"""


@dataclass(frozen=True)
class Entry:
    """One message that is owed. `applied`: the write is known to be made. `id` 0: it is not on disk."""

    id: int
    kind: str
    body: bytes
    applied: bool
    kept_at: float


class Outbox:
    """Durable when `put` returns. Held entries wait for their write to end, or for the next start."""

    def __init__(self, folder: Folder) -> None:
        self._database = open_spool(folder, "gate.sqlite3", _schema)
        self._lock = threading.Lock()

    def put(self, kind: str, body: bytes, held: bool = False) -> int:
        with self._lock:
            entry = self._database.execute(
                "insert into entry (kind, body, held, kept_at) values (?, ?, ?, ?)", (kind, body, held, time.time())
            ).lastrowid
        assert entry is not None
        return entry

    def release(self, entry: int, kind: str, body: Optional[bytes], applied: bool) -> None:
        """The write has ended; without a body it stays as it was."""
        self._run(
            "update entry set held = 0, kind = ?, body = coalesce(?, body), applied = ? where id = ?",
            (kind, body, applied, entry),
        )

    def remove(self, entry: int) -> None:
        self._run("delete from entry where id = ?", (entry,))

    def refuse(self, entry: int, why: str) -> None:
        """The service will never take it; it stays for a person to see."""
        self._run("update entry set refused = ? where id = ?", (why, entry))

    def next_after(self, entry: int) -> Optional[Entry]:
        with self._lock:
            row = self._database.execute(
                "select id, kind, body, applied, kept_at from entry"
                " where id > ? and held = 0 and refused is null order by id limit 1",
                (entry,),
            ).fetchone()
        return None if row is None else Entry(row[0], row[1], row[2], bool(row[3]), row[4])

    def owed(self) -> int:
        return self._count("select count(*) from entry where held = 0 and refused is null")

    def refused(self) -> list[tuple[str, bytes, str]]:
        with self._lock:
            rows = self._database.execute(
                "select kind, body, refused from entry where refused is not null order by id"
            ).fetchall()
        return [(str(kind), bytes(body), str(why)) for kind, body, why in rows]

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _run(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._database.execute(statement, values)

    def _count(self, statement: str) -> int:
        with self._lock:
            return int(self._database.execute(statement).fetchone()[0])


# Disk errors that must not stop a write which the gate lets through.
DISK_ERRORS = (sqlite3.Error, OSError)
