"""The study's database: SQLite by default, PostgreSQL for many hosts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._rdb import models
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from tuner.errors import ConfigError, StorageError
from tuner.search.endurance import endure
from tuner.search.enduring import EnduringStorage
from tuner.search.locks import lock_of_creators
from tuner.search.postgres_sessions import settle_sessions
from tuner.search.sqlite_file import harden_sqlite
from tuner.search.sqlite_reading import (
    BUSY_TIMEOUT_SECONDS,
    connect_reader,
    is_writable,
    prepare_file,
    readable_address,
    refuse_other_files,
)
from tuner.search.urls import mask, parse_url

__all__ = [
    "cached_storage",
    "close_storage",
    "open_storage",
    "probe_storage",
    "storage_errors",
]

PROBE_TIMEOUT_SECONDS = 5
VISITOR_SECONDS = 5.0
# Of Optuna's schema; another program's database may well have a table named `studies`.
_TABLES = frozenset({"studies", "trials", "version_info", "alembic_version"})


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what the database says when it fails into one clear line.

    Raises
    ------
    StorageError
        If it cannot be reached, is full, locked, read-only, or no database at all; or a study in
        use was deleted.
    """
    try:
        yield
    except KeyError as error:
        if error.args != (models.NOT_FOUND_MSG,):
            raise
        raise StorageError(f"{mask(url)}: the study was deleted while it was in use.") from error
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


def open_storage(
    url: str,
    *,
    create: bool,
    wait_seconds: float = 0.0,
    check: Callable[[], None] = lambda: None,
) -> EnduringStorage:
    """Open the storage, creating file and tables where wanted.

    Parameters
    ----------
    url
        See `parse_url`.
    create
        False opens for reading: a SQLite file is not written to, and a database without
        Optuna's tables is refused.
    wait_seconds
        How long a database is waited for that goes away while it is opened.
    check
        Called while waiting, and from then on whenever the storage waits; what it raises ends
        the wait.

    Raises
    ------
    ConfigError, StorageError
        See `parse_url` and `storage_errors`.
    """
    parsed = parse_url(url)

    def opened() -> EnduringStorage:
        return _create(parsed, url) if create else _open_existing(parsed, url, for_writing=False)

    with storage_errors(url):
        storage = (
            endure(opened, limit_seconds=wait_seconds, check=check) if wait_seconds else opened()
        )
    storage.heed(check)
    return storage


def _create(parsed: URL, url: str) -> EnduringStorage:
    if parsed.drivername == "sqlite":
        prepare_file(Path(str(parsed.database)), url)
    with lock_of_creators(parsed):
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
        refuse_other_files(Path(str(parsed.database)), url)
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
    # To whoever takes the log of libraries, in the format that was asked for.
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    # A read that loses its connection is told there as a page of SQL. `endure` says it in a line.
    logging.getLogger("optuna.storages._rdb.storage").setLevel(logging.ERROR)
    rendered = parsed.render_as_string(hide_password=False)
    storage = EnduringStorage(rendered, engine_kwargs=arguments, skip_table_creation=not create)
    if parsed.drivername != "sqlite":
        settle_sessions(storage.engine)
    return storage


def _open_existing(parsed: URL, url: str, *, for_writing: bool) -> EnduringStorage:
    """Open a storage that must hold studies already; its schema is left as it is."""
    if parsed.drivername != "sqlite":
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
    refuse_other_files(path, url)
    address, tables = readable_address(path, url)
    _refuse_without_studies(tables, url)
    if for_writing and is_writable(path):
        storage = _connect(parsed, _engine_arguments(parsed), create=False)
        harden_sqlite(storage.engine, path, mask(url))
        return storage
    return _connect(parsed, {"creator": lambda: connect_reader(address)}, create=False)


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
    with storage_errors(url):
        storage = _open_existing(parse_url(url), url, for_writing=True)
    storage.endurance = replace(storage.endurance, outage_seconds=VISITOR_SECONDS)
    try:
        yield optuna.storages.get_storage(storage)
    finally:
        close_storage(storage)
