"""What a study's starter notes about its end, for whoever asks how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from tuner.records import TrialRecord, telling_trials

__all__ = ["EndingNote", "note_conclusion", "note_ending", "read_ending"]

_PLANNED, _DONE = "ending", "concluded"


@dataclass(frozen=True, slots=True)
class EndingNote:
    """The end of a study as far as it is known.

    `runs` are those of its confirmation, `seconds` what sealed test and report are expected to
    take; both None before `tuner optimize` was run. `finished` is the count of trials after which
    the results were written last, None if they never were.
    """

    runs: int | None
    seconds: float | None
    finished: int | None

    def seconds_left(self, trials: Sequence[TrialRecord]) -> float | None:
        """Estimate the end, a run at the mean of the last 20 complete trials without compiling.

        None before the second of them (the first loads what the others find), and where nothing
        was noted.
        """
        complete = [t for t in trials if t.state == "complete" and t.seconds is not None]
        whole = [trial.working_seconds for trial in telling_trials(complete)]
        if self.runs is None or self.seconds is None or not whole:
            return None
        if self.finished == sum(trial.state in ("complete", "pruned") for trial in trials):
            return 0.0
        return self.runs * statistics.fmean(whole) + self.seconds


def note_ending(study: optuna.Study, *, runs: int, seconds: float) -> None:
    """Note what comes after the search."""
    study.set_user_attr(_PLANNED, {"runs": runs, "seconds": round(seconds, 1)})


def note_conclusion(study: optuna.Study, *, finished: int) -> None:
    """Note that the results were written after so many finished trials."""
    study.set_user_attr(_DONE, {"finished": finished})


def read_ending(attributes: Mapping[str, Any]) -> EndingNote:
    """Read from a study's attributes what is there."""
    planned = attributes.get(_PLANNED) or {}
    done = attributes.get(_DONE) or {}
    return EndingNote(planned.get("runs"), planned.get("seconds"), done.get("finished"))
