"""What compiling costs: TensorFlow compiles anew for every new shape of the arguments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Compiling"]


class Compiling:
    """Remembers which programs were compiled, and how long that took.

    Parameters
    ----------
    network
        What is compiled, in words; begins the name of each of its programs.

    Attributes
    ----------
    programs
        Names of the programs, one each time that a function was traced. The same name twice is a
        program that was compiled twice.
    seconds
        Of the watched calls in which that came up.
    """

    def __init__(self, network: str) -> None:
        self._network = network
        self.programs: list[str] = []
        self.seconds = 0.0

    @property
    def n_traces(self) -> int:
        """Count how often a function was traced."""
        return len(self.programs)

    def trace(self, program: str) -> None:
        """Note one: called by a function to compile, whose Python runs while tracing only."""
        self.programs.append(f"{self._network}: {program}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Add up a call's time if it traces."""
        traces, started = self.n_traces, time.perf_counter()
        yield
        if self.n_traces > traces:
            self.seconds += time.perf_counter() - started
