"""When a search ends before its total: out of time, out of budget, or nothing left to gain."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuner.records import TrialRecord, telling_trials
from tuner.search import EndsEarly, is_flat
from tuner.service.confirm import ConfirmationPlan
from tuner.service.ending_cost import EndingCost
from tuner.service.results import Results

__all__ = ["Limits", "ends_early_rule"]

RECENT = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run may take.

    `started` is when it began by the monotonic clock; no trial starts `timeout_seconds` later,
    and everything is to be over `budget_seconds` later.
    """

    started: float
    timeout_seconds: float
    budget_seconds: float

    @property
    def deadline(self) -> float:
        """When the budget is spent, by the monotonic clock."""
        return self.started + self.budget_seconds


def ends_early_rule(
    results: Results,
    limits: Limits,
    *,
    stops_when_flat: bool,
    confirmation: ConfirmationPlan | None,
    ending: Callable[[], EndingCost],
    trains_elsewhere: bool,
    n_earlier: int,
    clock: Callable[[], float] = time.monotonic,
) -> EndsEarly:
    """Give the rule that ends a search before its total, with the outcome it ends with.

    Parameters
    ----------
    ending
        Gives the cost of what comes after search and confirmation; not called before a trial is
        complete.
    trains_elsewhere
        Whether the trials run in other processes than the confirmation.
    n_earlier
        Complete trials that an earlier run has left.
    """
    direction = results.settings.direction

    def rule(trials: Sequence[TrialRecord]) -> str | None:
        now = clock()
        if now >= limits.started + limits.timeout_seconds:
            return "timeout"
        complete = [t for t in trials if t.state == "complete" and t.seconds is not None]
        ahead = _seconds_ahead(complete, confirmation, direction)
        if trains_elsewhere or len(complete) == n_earlier:
            # This process has no program yet. Folds need none of their own.
            ahead += max((trial.compile_seconds for trial in complete), default=0.0)
        # One trial is run whatever it takes: without it there is no result.
        if complete and now + ahead + ending().seconds(trials) >= limits.deadline:
            return "budget"
        if stops_when_flat and is_flat(
            trials, direction=direction, n_rows=len(results.parts.selection)
        ):
            return "flat"
        return None

    return rule


def _seconds_ahead(
    complete: Sequence[TrialRecord], confirmation: ConfirmationPlan | None, direction: str
) -> float:
    """Estimate one more trial and the confirmation, from the complete trials.

    The trial at what the longest of the last 20 took, with as much compiling as any of them but
    the study's first did, the confirmation at what the trials that
    would enter it took; 0 before the first one.
    """
    if not complete:
        return 0.0
    one_more = max(trial.working_seconds for trial in complete[-RECENT:])
    one_more += max((trial.compile_seconds for trial in telling_trials(complete)), default=0.0)
    if confirmation is None:
        return one_more
    best = confirmation.candidates(complete, direction)
    # One more trial may be one more contender.
    n_runs = confirmation.runs(len(best) + 1)
    return one_more + n_runs * statistics.fmean(trial.working_seconds for trial in best)
