"""What must hold in any kill drill, while it runs and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tuner.records import TrialRecord

__all__ = ["check_end", "finished_trials", "remember"]


def finished_trials(trials: Sequence[TrialRecord]) -> dict[int, TrialRecord]:
    """Give the trials that count towards the total, by number."""
    return {trial.number: trial for trial in trials if trial.state in ("complete", "pruned")}


def remember(seen: dict[int, TrialRecord], trials: Sequence[TrialRecord]) -> int:
    """Compare what is finished with what was finished before, and give the count."""
    ended = finished_trials(trials)
    for number, before in seen.items():
        now = ended.get(number)
        assert now is not None, f"a finished trial was lost: {number}"
        assert (now.value, now.intermediate) == (before.value, before.intermediate), number
    seen.update(ended)
    return len(ended)


def check_end(seen: dict[int, TrialRecord], trials: Sequence[TrialRecord], total: int) -> int:
    """Assert the exact total, that nothing is left over or lost, and count what was cut off."""
    n_finished = remember(seen, trials)
    assert n_finished == total, f"{n_finished} finished, {total} asked for"
    states = Counter("retried" if trial.is_retried else trial.state for trial in trials)
    left = states["running"] + states["waiting"] + states["failed"]
    assert not left, f"trials are left over: {dict(states)}"
    origins = [trial.origin for trial in seen.values()]
    assert len(set(origins)) == len(origins), "a trial was finished twice"
    return states["retried"]
