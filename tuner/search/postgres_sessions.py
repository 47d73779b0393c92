"""What each session with PostgreSQL agrees to, so that nobody waits for one that hangs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy.exc import DBAPIError

__all__ = ["advisory_lock", "settle_sessions"]

IDLE_SECONDS = 30.0
"""A session that falls silent in a transaction, because its process is stopped or its host gone,
is ended, or its locks would hold up all workers: until the server misses it, which takes hours."""

LOCK_SECONDS = 5.0
"""PostgreSQL waits for a lock deaf to the client's signals; beyond this `endure` waits."""


def settle_sessions(engine: sqlalchemy.Engine) -> None:
    """Let all clients write the server's time alike, and hold no lock that they have forgotten."""

    @sqlalchemy.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: object) -> None:
        was_automatic = connection.autocommit
        connection.autocommit = True
        connection.execute("SET TIME ZONE 'UTC'")
        for name, seconds in (
            ("idle_in_transaction_session_timeout", IDLE_SECONDS),
            ("lock_timeout", LOCK_SECONDS),
        ):
            connection.execute(f"SET {name} = {round(1000 * seconds)}")
        connection.autocommit = was_automatic

    engine.dispose()  # connections opened before the listener


@contextmanager
def advisory_lock(
    engine: sqlalchemy.Engine, name: str, enduring: Callable[[Callable[[], Any]], Any]
) -> Iterator[None]:
    """Hold a lock of the database while the body runs, which is to take a few seconds at most.

    Parameters
    ----------
    enduring
        Does an operation again while another process has the lock.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)

    def take() -> sqlalchemy.Connection:
        connection = engine.connect()
        try:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:n)"), {"n": number})
        except BaseException:
            connection.close()
            raise
        return connection

    with enduring(take) as connection:
        try:
            yield
        finally:
            try:
                connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:n)"), {"n": number})
            except DBAPIError:
                connection.invalidate()  # the lock goes with its session
