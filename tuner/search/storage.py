"""The study's database: SQLite by default, PostgreSQL for many hosts."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tuner.errors import ConfigError, StorageError
from tuner.masking import mask_url
from tuner.search.endurance import endure
from tuner.search.enduring import EnduringStorage
from tuner.search.postgres_sessions import advisory_lock, settle_sessions
from tuner.search.sqlite_file import harden_sqlite

__all__ = [
    "cached_storage",
    "close_storage",
    "default_url",
    "mask",
    "named_lock",
    "open_storage",
    "parse_url",
    "probe_storage",
    "storage_errors",
]

BUSY_TIMEOUT_SECONDS = 60
PROBE_TIMEOUT_SECONDS = 5
VISITOR_SECONDS = 5.0
SCHEMA_SECONDS = 90.0  # while another process makes the tables
_SQLITE_MAGIC = b"SQLite format 3"
# Of Optuna's schema; another program's database may well have a table named `studies`.
_TABLES = frozenset({"studies", "trials", "version_info"})
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


def default_url(output: Path) -> str:
    """Give the URL of the storage that stands beside the results."""
    return f"sqlite:///{output / 'tuner.db'}"


def parse_url(url: str) -> URL:
    """Read a storage URL; PostgreSQL is reached by psycopg 3.

    Raises
    ------
    ConfigError
        If it is malformed, of another database, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"--storage must be {_FORMS}; got {mask(url)!r}.") from error
    dialect = parsed.drivername.split("+", 1)[0]
    if dialect == "sqlite":
        if parsed.host:
            raise ConfigError(
                f"--storage: a relative SQLite file has three slashes, sqlite:///{parsed.host}…; "
                f"got {mask(url)!r}."
            )
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(f"--storage must name a file, sqlite:///FILE; got {mask(url)!r}.")
        return parsed.set(drivername="sqlite")
    if dialect in ("postgresql", "postgres"):
        try:
            import psycopg  # noqa: F401 - only asks whether it is there
        except ImportError as error:
            raise ConfigError(
                "--storage postgresql://… needs psycopg 3: pip install 'tuner[postgres]'."
            ) from error
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(f"--storage must be {_FORMS}; got the dialect {dialect!r}.")


def mask(url: str) -> str:
    """Give the URL as a person would write it, its passwords hidden."""
    return mask_url(url).replace("postgresql+psycopg:", "postgresql:", 1)


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what the database says when it fails into one clear line.

    Raises
    ------
    StorageError
        If it cannot be reached, is full, locked, read-only, or no database at all.
    """
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, NoSuchModuleError) as error:
        cause: BaseException | None = error
        reason = ""
        while cause is not None and not reason:
            original = getattr(cause, "orig", None)
            reason = str(original).strip() if original is not None else ""
            cause = cause.__cause__ or cause.__context__
        lines = (reason or str(error)).strip().splitlines() or [type(error).__name__]
        raise StorageError(f"{mask(url)}: the storage failed: {lines[0].rstrip('.')}.") from error
    except RuntimeError as error:
        # Optuna's word for a database of another version of its schema.
        if "optuna" in str(error).lower() and "version" in str(error).lower():
            raise StorageError(
                f"{mask(url)}: was written by another version of Optuna: {error}"
            ) from error
        raise


def open_storage(url: str, *, create: bool) -> EnduringStorage:
    """Open the storage, creating file and tables where wanted.

    Parameters
    ----------
    url
        See `parse_url`.
    create
        False opens for reading: a SQLite file is not written to, and a database without
        Optuna's tables is refused.

    Raises
    ------
    ConfigError, StorageError
        See `parse_url` and `storage_errors`.
    """
    parsed = parse_url(url)
    if not create:
        return _open_existing(parsed, url, for_writing=False)
    if parsed.drivername == "sqlite":
        _prepare_file(Path(str(parsed.database)), url)
    with storage_errors(url), _one_creator(parsed):
        _refuse_foreign_tables(parsed, url)
        storage = _connect(parsed, _engine_arguments(parsed), create=True)
    if parsed.drivername == "sqlite":
        harden_sqlite(storage.engine, Path(str(parsed.database)), mask(url))
    return storage


def probe_storage(
    url: str, *, wait_seconds: float = 0.0, check: Callable[[], None] = lambda: None
) -> None:
    """Find out early whether the storage can be used at all; nothing is written.

    PostgreSQL must answer within a few seconds; a SQLite file that is there must be one.

    Parameters
    ----------
    wait_seconds
        How long a database that is away is waited for; a refused password is not.
    check
        Called while waiting; what it raises ends the wait.

    Raises
    ------
    ConfigError, StorageError
        See `parse_url` and `storage_errors`.
    """
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        _refuse_other_files(Path(str(parsed.database)), url)
        return
    arguments = {"connect_timeout": PROBE_TIMEOUT_SECONDS}
    engine = sqlalchemy.create_engine(parsed, connect_args=arguments)

    def ask() -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    try:
        with storage_errors(url):
            endure(ask, limit_seconds=wait_seconds, check=check)
    finally:
        engine.dispose()


def _engine_arguments(parsed: URL) -> dict[str, Any]:
    if parsed.drivername == "sqlite":
        return {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS}}
    # A connection that the server closed in the meantime is replaced before use; one whose other
    # end has silently gone is noticed within a minute.
    alive = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3}
    return {
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": 10, "tcp_user_timeout": 50_000, **alive},
    }


def _connect(parsed: URL, arguments: dict[str, Any], *, create: bool) -> EnduringStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rendered = parsed.render_as_string(hide_password=False)
    storage = EnduringStorage(rendered, engine_kwargs=arguments, skip_table_creation=not create)
    if parsed.drivername != "sqlite":
        settle_sessions(storage.engine)
    return storage


def _open_existing(parsed: URL, url: str, *, for_writing: bool) -> EnduringStorage:
    """Open a storage that must hold studies already; its schema is left as it is."""
    if parsed.drivername != "sqlite":
        with storage_errors(url):
            arguments = _engine_arguments(parsed)
            engine = sqlalchemy.create_engine(parsed, **arguments)
            try:
                tables = set(sqlalchemy.inspect(engine).get_table_names())
            finally:
                engine.dispose()
            _refuse_without_studies(tables, url)
            return _connect(parsed, arguments, create=False)
    path = Path(str(parsed.database))
    if not path.is_file():
        raise ConfigError(f"--storage {mask(url)}: there is no such file.")
    _refuse_other_files(path, url)
    address, tables = _readable_address(path, url)
    _refuse_without_studies(tables, url)
    if for_writing and _is_writable(path):
        with storage_errors(url):
            storage = _connect(parsed, _engine_arguments(parsed), create=False)
        harden_sqlite(storage.engine, path, mask(url))
        return storage
    with storage_errors(url):
        return _connect(parsed, {"creator": lambda: _connect_reader(address)}, create=False)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _connect_reader(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


def _readable_address(path: Path, url: str) -> tuple[str, set[str]]:
    """Give the address under which SQLite can read a file, and the tables in it.

    Where the place can be written, SQLite may: a reader of a file with a write-ahead log puts two
    files beside it, which only one that may write takes away again. Elsewhere it must not; and
    where that log is empty, the file alone is the whole database and nothing else is needed.
    """
    modes = ["mode=rw"] if _is_writable(path) else ["mode=ro"]
    write_ahead_log = path.with_name(f"{path.name}-wal")
    if not _is_writable(path) and not (
        write_ahead_log.exists() and write_ahead_log.stat().st_size
    ):
        modes.append("mode=ro&immutable=1")
    problem: sqlite3.Error | None = None
    for mode in modes:
        address = f"file:{quote(str(path.resolve()))}?{mode}"
        try:
            return address, _sqlite_tables(address)
        except sqlite3.Error as error:
            problem = error
    raise StorageError(f"{mask(url)}: cannot be read: {problem}.") from problem


def _sqlite_tables(address: str) -> set[str]:
    """Give the names of the tables.

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
    connection = _connect_reader(address)
    try:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}
    finally:
        connection.close()


def _refuse_without_studies(tables: set[str], url: str) -> None:
    if not tables >= _TABLES:
        raise ConfigError(
            f"--storage must be a database that `tuner optimize` has written; {mask(url)} holds "
            "no studies."
        )


def _refuse_foreign_tables(parsed: URL, url: str) -> None:
    """Raise `ConfigError` if another program's table bears the name of one of Optuna's.

    A table that a killed process has made is none of those: what is missing is made now.
    """
    engine = sqlalchemy.create_engine(parsed, **_engine_arguments(parsed))
    ours = models.BaseModel.metadata.tables
    try:
        there = sqlalchemy.inspect(engine).get_multi_columns(filter_names=list(ours))
    finally:
        engine.dispose()
    for (_, name), columns in sorted(there.items()):
        missing = set(ours[name].primary_key.columns.keys()) - {c["name"] for c in columns}
        if missing:
            raise ConfigError(
                f"--storage must be a database of its own, or one without tables of Optuna's "
                f"names; {mask(url)} has another program's table {name!r}."
            )


def _refuse_other_files(path: Path, url: str) -> None:
    """Raise `StorageError` if the file is there and is no SQLite database."""
    try:
        if path.exists() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
                    raise StorageError(f"{mask(url)}: the file is no SQLite database.")
    except OSError as error:
        raise StorageError(f"{mask(url)}: cannot be read: {error.strerror}.") from error


def close_storage(storage: RDBStorage) -> None:
    """Give all connections back."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def cached_storage(url: str) -> Iterator[BaseStorage]:
    """Open a storage behind Optuna's cache of finished trials, for the dashboard.

    A visitor waits for a few seconds only where the database is away. It may write what its user
    asks for (notes, deletions) where the file can be written.
    """
    storage = _open_existing(parse_url(url), url, for_writing=True)
    storage.endurance = replace(storage.endurance, outage_seconds=VISITOR_SECONDS)
    try:
        yield optuna.storages.get_storage(storage)
    finally:
        close_storage(storage)


def _prepare_file(path: Path, url: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(path, url)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
        try:
            # Readers (the dashboard) and the writer do not block each other. Kept in the file.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        finally:
            connection.close()
    except OSError as error:
        raise StorageError(f"{mask(url)}: cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise StorageError(f"{mask(url)}: cannot be written: {error}.") from error


@contextmanager
def _one_creator(parsed: URL) -> Iterator[None]:
    """Two processes that start at once must not both create the tables."""
    if parsed.drivername == "sqlite":
        with FileLock(f"{parsed.database}.lock"):
            yield
        return
    engine = sqlalchemy.create_engine(parsed, connect_args={"connect_timeout": 10})
    settle_sessions(engine)
    try:
        with advisory_lock(engine, "tuner:schema", _patiently):
            yield
    finally:
        engine.dispose()


def _patiently(operation: Callable[[], Any]) -> Any:
    return endure(operation, limit_seconds=SCHEMA_SECONDS)


@contextmanager
def named_lock(storage: EnduringStorage, name: str) -> Iterator[None]:
    """Hold a lock that all processes on one database share.

    A file lock beside the SQLite database, an advisory lock in PostgreSQL.
    """
    parsed = make_url(storage.url)
    if parsed.drivername == "sqlite":
        suffix = hashlib.sha256(name.encode()).hexdigest()[:8]
        with FileLock(f"{parsed.database}.{suffix}.lock"):
            yield
    else:
        with advisory_lock(storage.engine, f"tuner:{name}", storage.enduring):
            yield
