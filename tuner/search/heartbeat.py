"""A worker's sign of life, while it runs a trial."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import optuna
from sqlalchemy.exc import SQLAlchemyError

from tuner.counters import HEARTBEATS, count
from tuner.errors import StorageError

if TYPE_CHECKING:
    from tuner.search.enduring import EnduringStorage

__all__ = ["Heartbeat"]

_log = logging.getLogger(__name__)


class _Ended(Exception):
    """The trial has ended while its beat waited for the database."""


class Heartbeat:
    """Beats for one trial from a thread of its own while it is entered.

    The thread outlives every failure of the database: a beat that cannot be written is left out
    and the next one is tried.
    """

    def __init__(self, storage: EnduringStorage, trial_id: int) -> None:
        self._storage = storage
        self._trial_id = trial_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        # A connection that hangs is not waited for: the thread is a daemon.
        self._thread.join(timeout=2.0)

    def _check(self) -> None:
        if self._ended.is_set():
            raise _Ended

    def _beat(self) -> None:
        # The claim wrote the first one.
        while not self._ended.wait(self._storage.endurance.beat_seconds):
            try:
                self._storage.enduring(
                    lambda: self._storage.record_heartbeat(self._trial_id), check=self._check
                )
                count(HEARTBEATS)
            except _Ended:
                break
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError, StorageError):
                _log.debug("a beat for trial %d was not written", self._trial_id, exc_info=True)
        self._storage.remove_session()
