"""Where the time of a trial goes outside its training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]

TELL = "tell"


class Stopwatch:
    """Measures the stages of one trial after another.

    A trial's attributes are written while it is told, so what telling it has cost can only be
    noted by its successor: its `tell` is that of the trial before it in this process.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._telling = 0.0

    def begin(self) -> None:
        """Begin a trial."""
        self._seconds = {TELL: self._telling}
        self._telling = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage of the trial; one entered several times adds up."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            if name == TELL:
                self._telling += spent
            else:
                self._seconds[name] = self._seconds.get(name, 0.0) + spent

    def seconds(self) -> dict[str, float]:
        """Give the seconds of the trial by stage."""
        return {name: round(spent, 4) for name, spent in self._seconds.items()}
