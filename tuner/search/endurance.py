"""How long a study waits for its database, and which failures are worth waiting for."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError

from tuner.errors import ConfigError

__all__ = ["Endurance", "endure", "is_passing"]

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_FIRST_DELAY_SECONDS = 0.05
_LONGEST_DELAY_SECONDS = 3.0
_CHECK_SECONDS = 0.5
# What no waiting mends. SQLite has no codes in its exceptions, PostgreSQL has classes of them.
_LASTING_SQLITE = ("full", "readonly", "no such", "not a database", "malformed", "unable to open")
_LASTING_POSTGRES = (
    "28",  # invalid authorization
    "3D",  # no such database
    "42",  # no such table, no permission
    "53100",  # disk full
)
_IDLE_POSTGRES = "25P03"  # the session was ended: this process was stopped in a transaction
# A connection that PostgreSQL refuses comes without a code (libpq gives the text alone).
_REFUSED_POSTGRES = ("authentication failed", "no password supplied", "does not exist", "pg_hba")


@dataclass(frozen=True, slots=True)
class Endurance:
    """Three times that belong together, in seconds.

    A worker beats every `beat_seconds`; it waits up to `outage_seconds` for a database that does
    not answer; a trial without a beat for `grace_seconds` is taken from its worker. While the
    database is away nobody can beat, so the grace has to be longer than the longest outage that
    is waited for, and two beats more.
    """

    beat_seconds: float = 15.0
    outage_seconds: float = 90.0
    grace_seconds: float = 180.0

    def __post_init__(self) -> None:
        """Refuse times that would take trials from healthy workers."""
        least = self.outage_seconds + 2 * self.beat_seconds
        if self.grace_seconds < least:
            raise ConfigError(
                f"grace_seconds must be at least outage_seconds + 2 * beat_seconds = {least:g}, "
                "since nobody can beat while the database is away; "
                f"got {self.grace_seconds:g}."
            )


def is_passing(error: BaseException) -> bool:
    """Say whether a database failure may go away by itself: no connection, a lock, a restart.

    Parameters
    ----------
    error
        Of SQLAlchemy, or Optuna's wrapper around one.
    """
    if isinstance(error, optuna.exceptions.StorageInternalError):
        cause = error.__cause__
        return cause is not None and is_passing(cause)
    if isinstance(error, PendingRollbackError):
        return True  # Optuna goes on reading in the session whose connection has just been lost
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state == _IDLE_POSTGRES or (
            not state.startswith(_LASTING_POSTGRES)
            and isinstance(error, OperationalError | InterfaceError)
        )
    if not (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)):
        return False
    words = _LASTING_SQLITE if isinstance(error.orig, sqlite3.Error) else _REFUSED_POSTGRES
    text = str(error.orig).lower()
    return not any(word in text for word in words)


_FAILURES = (DBAPIError, PendingRollbackError, optuna.exceptions.StorageInternalError)
_state = threading.local()


def endure(
    operation: Callable[[], Result],
    *,
    limit_seconds: float,
    check: Callable[[], None] = lambda: None,
    retried: Callable[[], None] = lambda: None,
) -> Result:
    """Do a database operation, again and again while the database does not answer.

    Parameters
    ----------
    operation
        May be done again after a failure whose outcome is not known: it must be harmless twice.
    limit_seconds
        The last failure is raised once the next attempt would come later than this.
    check
        Called while waiting; what it raises ends the wait.
    retried
        Called before every further attempt.

    Raises
    ------
    SQLAlchemyError, optuna.exceptions.StorageInternalError
        The operation's, if it does not pass or lasts too long.
    """
    if getattr(_state, "is_inside", False):
        return operation()  # the outer one waits
    _state.is_inside = True
    began: float | None = None
    delay = _FIRST_DELAY_SECONDS
    try:
        while True:
            try:
                result = operation()
            except _FAILURES as error:
                now = time.monotonic()
                if began is None:
                    began = now
                if not is_passing(error) or now + delay - began > limit_seconds:
                    raise
                if delay > 1.0:
                    _log.warning(
                        "the storage does not answer; waiting up to %.0f s more",
                        limit_seconds - (now - began),
                    )
                _sleep(delay * random.uniform(0.7, 1.3), check)
                delay = min(2.0 * delay, _LONGEST_DELAY_SECONDS)
                retried()
                continue
            if began is not None and delay > 1.0:
                _log.info("the storage answers again after %.1f s", time.monotonic() - began)
            return result
    finally:
        _state.is_inside = False


def _sleep(seconds: float, check: Callable[[], Any]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check()
        time.sleep(min(left, _CHECK_SECONDS))
