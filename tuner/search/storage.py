"""The study's database: SQLite by default, PostgreSQL for many hosts."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tuner.errors import ConfigError, StorageError

__all__ = [
    "cached_storage",
    "close_storage",
    "mask",
    "open_storage",
    "parse_url",
    "slot_lock",
    "storage_errors",
]

BUSY_TIMEOUT_SECONDS = 60
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


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
        shown = url.split("@", 1)[-1] if "@" in url else url
        raise ConfigError(f"--storage must be {_FORMS}; got {shown!r}.") from error
    dialect = parsed.drivername.split("+", 1)[0]
    if dialect == "sqlite":
        if parsed.host:
            raise ConfigError(
                f"--storage: a relative SQLite file has three slashes, sqlite:///{parsed.host}…; "
                f"got {url!r}."
            )
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(f"--storage must name a file, sqlite:///FILE; got {url!r}.")
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
    """Give the URL as a person would write it, its password hidden."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "the storage"
    return parsed.render_as_string(hide_password=True).replace("postgresql+psycopg", "postgresql")


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


def open_storage(url: str, *, create: bool) -> RDBStorage:
    """Open the storage, creating file and tables where wanted.

    Parameters
    ----------
    url
        See `parse_url`.
    create
        False refuses a SQLite file that is not there.

    Raises
    ------
    ConfigError, StorageError
        See `parse_url` and `storage_errors`.
    """
    parsed = parse_url(url)
    engine_arguments: dict[str, Any] = {}
    if parsed.drivername == "sqlite":
        path = Path(str(parsed.database))
        if not create and not path.is_file():
            raise ConfigError(f"--storage {mask(url)}: there is no such file.")
        _prepare_file(path, url)
        engine_arguments["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS}
    else:
        # A connection that the server closed in the meantime is replaced before use.
        engine_arguments["pool_pre_ping"] = True
        engine_arguments["connect_args"] = {"connect_timeout": 10}
    rendered = parsed.render_as_string(hide_password=False)
    with storage_errors(url), _one_creator(parsed):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = RDBStorage(rendered, engine_kwargs=engine_arguments)
    if parsed.drivername == "sqlite":
        _harden_sqlite(storage.engine)
    return storage


def close_storage(storage: RDBStorage) -> None:
    """Give all connections back."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def cached_storage(url: str) -> Iterator[BaseStorage]:
    """Open a storage behind Optuna's cache of finished trials, for readers."""
    storage = open_storage(url, create=False)
    try:
        yield optuna.storages.get_storage(storage)
    finally:
        close_storage(storage)


def _prepare_file(path: Path, url: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(15) != b"SQLite format 3":
                    raise StorageError(f"{mask(url)}: the file is no SQLite database.")
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
    try:
        with _advisory_lock(engine, "tuner:schema"):
            yield
    finally:
        engine.dispose()


def _harden_sqlite(engine: sqlalchemy.Engine) -> None:
    """Take the write lock at the begin of every transaction.

    SQLite's default, to begin as a reader and to upgrade, hands one enqueued trial to two
    processes.
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN off; ours comes below
        # NORMAL is safe with the write-ahead log: a crash of the process loses nothing.
        connection.execute("PRAGMA synchronous=NORMAL")

    @sqlalchemy.event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections opened before the listeners


@contextmanager
def _advisory_lock(engine: sqlalchemy.Engine, name: str) -> Iterator[None]:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:n)"), {"n": number})
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:n)"), {"n": number})


@contextmanager
def slot_lock(storage: RDBStorage, study_name: str) -> Iterator[None]:
    """Hold the study's lock while slots are counted and one is taken.

    A file lock beside the SQLite database, an advisory lock in PostgreSQL.
    """
    parsed = make_url(storage.url)
    if parsed.drivername == "sqlite":
        with FileLock(f"{parsed.database}.lock"):
            yield
    else:
        with _advisory_lock(storage.engine, f"tuner:slots:{study_name}"):
            yield
