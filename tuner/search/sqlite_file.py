"""What a SQLite file needs so that many processes can share it, and one can be told to stop."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy

from tuner.errors import StorageError

__all__ = ["harden_sqlite", "reading", "write_ahead"]

# SQLite waits by itself, deaf to signals; beyond this `endure` waits, which is not.
LOCK_SECONDS = 1.0

_here = threading.local()


@contextmanager
def reading() -> Iterator[None]:
    """Let the transactions that this thread begins take no write lock: nothing is written.

    A read of a large study takes seconds, in which the others would wait. One that wrote all the
    same would do no harm: SQLite lets it do so only where nobody else has written since it
    began, and fails as for a lock otherwise, which is tried again from the begin.
    """
    before = getattr(_here, "is_reading", False)
    _here.is_reading = True
    try:
        yield
    finally:
        _here.is_reading = before


def write_ahead(path: Path, *, wait_seconds: float) -> None:
    """Make the file if there is none, and find out whether it can be written.

    It gets a write-ahead log, so that readers (the dashboard) and the writer do not block each
    other; that is kept in the file. A lock is waited for, a second at a time: a signal is heard.

    Raises
    ------
    sqlite3.Error
        If it cannot be written.
    """
    end = time.monotonic() + wait_seconds
    while True:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        else:
            return
        finally:
            connection.close()


def harden_sqlite(engine: sqlalchemy.Engine, path: Path, shown: str) -> None:
    """Take the write lock where a transaction begins, and look whether the file is there.

    The driver's default, to begin with the first statement that writes, hands one enqueued trial
    to two processes. What only reads takes no lock, see `reading`. And SQLite goes on writing into
    a file that was deleted or replaced, where nobody finds it again: that raises `StorageError`.

    Parameters
    ----------
    shown
        How the storage is called in an error.
    """
    file = _identity(path)

    def look() -> None:
        if _identity(path) != file:
            raise StorageError(f"{shown}: the file was deleted or replaced while it was in use.")

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def _on_opening(*_: object) -> None:
        look()  # SQLite would make an empty one

    @sqlalchemy.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN off; ours comes below
        connection.execute(f"PRAGMA busy_timeout={round(1000 * LOCK_SECONDS)}")
        # NORMAL is safe with the write-ahead log: a crash of the process loses nothing.
        connection.execute("PRAGMA synchronous=NORMAL")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        look()
        is_reading = getattr(_here, "is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    engine.dispose()  # connections opened before the listeners


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
