"""When a search ends before its total: out of time, out of budget, or nothing left to gain."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tuner.evaluation import runs_needed
from tuner.records import TrialRecord
from tuner.search import EndsEarly, is_flat
from tuner.service.confirm import ConfirmationPlan, kind_for
from tuner.service.results import Results

__all__ = ["ends_early_rule"]


def ends_early_rule(
    results: Results,
    *,
    started: float,
    timeout_seconds: float,
    budget_seconds: float,
    stops_when_flat: bool,
    confirmation: ConfirmationPlan | None,
) -> EndsEarly:
    """Give the rule that ends a search before its total, with the outcome it ends with."""
    kind = kind_for(results.parts)

    def rule(trials: Sequence[TrialRecord]) -> str | None:
        spent = time.monotonic() - started
        if spent >= timeout_seconds:
            return "timeout"
        if spent + _seconds_ahead(trials, confirmation, kind) >= budget_seconds:
            return "budget"
        if stops_when_flat and is_flat(
            trials,
            direction=results.settings.direction,
            n_rows=len(results.parts.selection),
        ):
            return "flat"
        return None

    return rule


def _seconds_ahead(
    trials: Sequence[TrialRecord], confirmation: ConfirmationPlan | None, kind: str
) -> float:
    """Estimate one more trial and the confirmation from the complete trials.

    The first one compiled the programs; each fold of a cross-validation may do so again.
    """
    seconds = [t.seconds for t in trials if t.state == "complete" and t.seconds is not None]
    if not seconds:
        return 0.0
    first, rest = seconds[0], seconds[1:] or seconds
    run = sum(rest[-20:]) / len(rest[-20:])
    if confirmation is None:
        return run
    n_runs = 1 + runs_needed(min(confirmation.top, len(seconds)), confirmation.seeds)
    n_new_shapes = confirmation.seeds if kind == "cross_validation" else 0
    return n_runs * run + n_new_shapes * max(0.0, first - run)
