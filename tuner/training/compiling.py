"""What compiling costs: TensorFlow compiles anew for every new shape of the arguments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Compiling"]


class Compiling:
    """Counts how often functions were compiled, and how long that took.

    Attributes
    ----------
    n_traces
        How often a function was traced.
    seconds
        Of the watched calls in which that came up.
    """

    def __init__(self) -> None:
        self.n_traces = 0
        self.seconds = 0.0

    def trace(self) -> None:
        """Count one: called by a function to compile, whose Python runs while tracing only."""
        self.n_traces += 1

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Add up a call's time if it traces."""
        traces, started = self.n_traces, time.perf_counter()
        yield
        if self.n_traces > traces:
            self.seconds += time.perf_counter() - started
