"""SQLite files that one process has, and in which a commit is on disk when it returns."""

from __future__ import annotations

import os
import sqlite3
from typing import Union

from .errors import SpoolInUse

Folder = Union[str, "os.PathLike[str]"]


def open_spool(folder: Folder, name: str, schema: str) -> sqlite3.Connection:
    """The spool file `name`, made if absent, readable by this user alone. Raises SpoolInUse."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, name)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # The lock is the operating system's: it ends with the process, however that ends.
        database.execute("pragma locking_mode = exclusive")
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.executescript(f"begin exclusive; {schema}; commit")
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" in str(error):
            raise SpoolInUse(f"{path} is in use: give each process a spool_dir of its own") from None
        raise
    return database
