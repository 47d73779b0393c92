"""A SQLite file before it is opened: is it one, what is in it, and may it be written."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tuner.errors import StorageError
from tuner.search.sqlite_file import write_ahead
from tuner.search.urls import mask

__all__ = [
    "BUSY_TIMEOUT_SECONDS",
    "connect_reader",
    "is_writable",
    "prepare_file",
    "readable_address",
    "refuse_other_files",
]

BUSY_TIMEOUT_SECONDS = 60
_LAST_MADE = "alembic_version"  # of Optuna's tables; its row is the last that a creator writes


def prepare_file(path: Path, url: str) -> None:
    """Make the file where it is missing, and find out that it can be written.

    Raises
    ------
    StorageError
        If it cannot, or is no database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_other_files(path, url)
        write_ahead(path, wait_seconds=BUSY_TIMEOUT_SECONDS)
    except OSError as error:
        raise StorageError(f"{mask(url)}: cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise StorageError(f"{mask(url)}: cannot be written: {error}.") from error


def refuse_other_files(path: Path, url: str) -> None:
    """Raise `StorageError` if the file is there and is no SQLite database.

    SQLite itself looks, and takes no lock: to open a database by other means and to close it
    drops the locks that this process holds on it, and another one then throws away the log in
    which this one goes on writing (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        if not (path.exists() and path.stat().st_size):
            return
        with closing(sqlite3.connect(_address(path, "mode=ro&immutable=1"), uri=True)) as looking:
            looking.execute("PRAGMA schema_version")
    except OSError as error:
        raise StorageError(f"{mask(url)}: cannot be read: {error.strerror}.") from error
    except sqlite3.OperationalError as error:
        raise StorageError(f"{mask(url)}: cannot be read: {error}.") from error
    except sqlite3.DatabaseError as error:
        # It is read without its log. A full disk, or a kill, cuts off the move of pages from there
        # to here, and then its first page tells of pages that only the log has.
        is_torn = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT
        if is_torn and _has_log(path):
            return
        raise StorageError(f"{mask(url)}: the file is no SQLite database.") from error


def is_writable(path: Path) -> bool:
    """Say whether the file, and what SQLite puts beside it, may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def readable_address(path: Path, url: str) -> tuple[str, set[str]]:
    """Give the address under which SQLite can read a file, and the tables in it.

    Where the place can be written, SQLite may: a reader of a file with a write-ahead log puts two
    files beside it, which only one that may write takes away again. Elsewhere it must not; and
    where that log is empty, the file alone is the whole database and nothing else is needed.
    """
    modes = ["mode=rw"] if is_writable(path) else ["mode=ro"]
    if not is_writable(path) and not _has_log(path):
        modes.append("mode=ro&immutable=1")
    problem: sqlite3.Error | None = None
    for mode in modes:
        address = _address(path, mode)
        try:
            return address, _sqlite_tables(address)
        except sqlite3.Error as error:
            problem = error
    raise StorageError(f"{mask(url)}: cannot be read: {problem}.") from problem


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _address(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.resolve()))}?{mode}"


def connect_reader(address: str) -> sqlite3.Connection:
    """Open a connection that only reads, at an address of `readable_address`."""
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


def _sqlite_tables(address: str) -> set[str]:
    """Give the names of the tables; the last one only once it is filled.

    Another process that closes the database just now takes its write-ahead log away under a
    reader, who sees an I/O error once.
    """
    for seconds in (0.05, 0.2, 0.8):
        try:
            return _table_names(address)
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR"):
                raise
            time.sleep(seconds)
    return _table_names(address)


def _table_names(address: str) -> set[str]:
    with closing(connect_reader(address)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in rows}
        filled = f"SELECT 1 FROM {_LAST_MADE}"
        if _LAST_MADE in names and connection.execute(filled).fetchone() is None:
            names.remove(_LAST_MADE)  # another process is at it
        return names
