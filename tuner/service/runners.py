"""Where configurations run, in this process or in a guarded child of it: chosen here alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tuner.config import ExecutionSettings
from tuner.isolation import Guard, Recipe
from tuner.records import StopRequested, TrialOutcome

__all__ = ["MakeRunner", "Runner", "runners"]

Runner = Callable[..., TrialOutcome]
"""What runs a configuration once, with the arguments of `StudyTrials.run_trial`."""
MakeRunner = Callable[[Recipe, Callable[[], Runner]], Runner]
"""Makes one: by the recipe in a child, or by calling the second in this process."""


@contextmanager
def runners(
    execution: ExecutionSettings | None, stop_requested: StopRequested
) -> Iterator[MakeRunner]:
    """Choose the place for all that the body runs; one child serves any number of studies.

    Parameters
    ----------
    execution
        Whether configurations run in a guarded child, and its limits; None for in this process.
    stop_requested
        Raises `Interrupted` while a child is made ready.
    """
    if execution is None or not execution.isolate:
        yield lambda recipe, make_here: make_here()
        return
    with Guard(execution) as guard:
        yield lambda recipe, make_here: guard.runner(recipe, stop_requested=stop_requested)
