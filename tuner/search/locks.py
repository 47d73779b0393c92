"""Locks that all processes on one database share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from filelock import FileLock
from sqlalchemy.engine import URL, make_url

from tuner.search.endurance import endure
from tuner.search.enduring import EnduringStorage
from tuner.search.postgres_sessions import advisory_lock, settle_sessions

__all__ = ["lock_of_creators", "named_lock"]

SCHEMA_SECONDS = 90.0  # while another process makes the tables


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


@contextmanager
def lock_of_creators(parsed: URL) -> Iterator[None]:
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
