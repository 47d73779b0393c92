"""Where the time of a study's trials went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tuner.records import TrialRecord

__all__ = ["compiled_programs", "stage_summary"]

TRAINING = ("prefix", "train", "fine_tune")
ONCE = ("prepare", "compile")  # paid by the first trial of a shape, for all that follow


def stage_summary(trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Give the seconds of finished trials by stage, and the share that was no training.

    Returns
    -------
    dict
        `stage_seconds`, sums by stage, longest first; `non_training_share` in [0, 1] of all
        stages but preparing and compiling, None before the first complete trial. Validating,
        storing weights, and everything about sampler and storage are no training.
    """
    total: Counter[str] = Counter()
    for trial in trials:
        if trial.state in ("complete", "pruned") and "duplicate_of" not in trial.attributes:
            total.update(trial.attributes.get("seconds") or {})
    training = sum(total[name] for name in TRAINING)
    whole = sum(spent for name, spent in total.items() if name not in ONCE)
    return {
        "stage_seconds": {name: round(spent, 2) for name, spent in total.most_common()},
        "non_training_share": round(1.0 - training / whole, 4) if whole else None,
    }


def compiled_programs(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Count the programs that the trials needed, and how often one was compiled.

    Returns
    -------
    dict
        `programs`, one for each shape, and `programs_compiled`. In one process the second is the
        larger one where a program was let go of and compiled again; every further process
        compiles the programs that it needs for itself.
    """
    lists = [trial.attributes.get("programs") or [] for trial in trials]
    return {
        "programs": len({name for names in lists for name in names}),
        "programs_compiled": sum(
            int(trial.attributes.get("programs_compiled") or 0) for trial in trials
        ),
    }
