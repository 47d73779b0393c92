"""When starting workers again does not help any more."""

from __future__ import annotations

import logging

from tuner.errors import StorageError

__all__ = ["FailuresInARow"]

_log = logging.getLogger(__name__)

FAILURES_MAX = 5  # of each worker


class FailuresInARow:
    """Counts the workers that failed since a trial was last finished.

    Parameters
    ----------
    n_workers
        Workers that share the study.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._n = 0

    def trial_finished(self) -> None:
        """Hear that the study gets on."""
        self._n = 0

    def add(self, place: int, last_words: str) -> None:
        """Count a failure of the worker with this number, and say that it starts again.

        Raises
        ------
        StorageError
            If workers have failed five times each without a trial in between.
        """
        self._n += 1
        if self._n >= FAILURES_MAX * self._n_workers:
            raise StorageError(
                f"workers failed {self._n} times without finishing a trial; the last words of "
                f"worker {place}: {last_words}"
            )
        _log.warning("worker %d failed and is started again: %s", place, last_words)
