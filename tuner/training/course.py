"""The epochs of a trial: count them, remember the best one, report, save, and go on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.records import Checkpoint, Report, Scores, Spent, TrialOutcome, TrialState
from tuner.training.compiling import Compiling

__all__ = ["Course"]


@dataclass(slots=True)
class _Place:
    """How far a trial has come: `phase`, the last `epoch`, and when that phase last got better."""

    phase: str = ""
    epoch: int = 0
    phase_best: float = -math.inf
    without_gain: int = 0

    def count(self, epoch: int, value: float) -> None:
        """Take an epoch's value, larger is better."""
        self.epoch = epoch
        self.without_gain = 0 if value > self.phase_best else self.without_gain + 1
        self.phase_best = max(self.phase_best, value)


class Course:
    """The course of one trial over its phases, whatever network it trains.

    Parameters
    ----------
    settings
        Of the trial: metric, direction and patience.
    report
        Hears of every epoch; may raise to prune.
    checkpoint
        Where the trial leaves its state; None for nowhere.
    compiling
        Of the network that is trained: what it compiles from here on is the trial's.
    stages
        Names of what the trial's time is spent on; `compile`, `keep`, `report` and `checkpoint`
        are measured here.
    prepare_seconds
        What the trial has taken before.

    Attributes
    ----------
    best_epoch
        Counted from 1 over both phases; 0 before the first.
    best_validation
        Scores of that epoch.
    history
        One row an epoch: its number, its loss and its value.
    seconds
        Time a stage, filled by the trial.
    """

    def __init__(
        self,
        settings: Settings,
        report: Report,
        checkpoint: Checkpoint | None,
        *,
        compiling: Compiling,
        stages: tuple[str, ...],
        prepare_seconds: float = 0.0,
    ) -> None:
        self._compiling = compiling
        self._n_compiled_before = compiling.n_traces
        self._metric = settings.study.metric
        self._sign = 1.0 if settings.direction == "maximize" else -1.0
        self._patience = settings.training.patience
        self._report = report
        self._checkpoint = checkpoint
        self._place = _Place()
        self._best_value = -math.inf
        self.best_epoch = 0
        self.best_validation: Scores | None = None
        self.history: list[dict[str, float]] = []
        self.seconds = {
            **dict.fromkeys(("compile", *stages, "keep", "report", "checkpoint"), 0.0),
            "prepare": prepare_seconds,
        }

    @property
    def phase(self) -> str:
        """Phase that the trial is in; "" before the first."""
        return self._place.phase

    def begins(self, phase: str, *, first: int) -> bool:
        """Enter a phase whose first epoch is `first`; False if the trial goes on within it."""
        if self._place.phase == phase:
            return False
        self._place = _Place(phase=phase, epoch=first - 1)
        return True

    def run(
        self,
        *,
        last: int,
        train: Callable[[int], float],
        validate: Callable[[int], Scores],
        keep: Callable[[int], None],
        state: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Run the epochs of the phase until patience ends or `last` is done.

        Parameters
        ----------
        train
            Trains an epoch, given its number, and gives its loss.
        validate
            Gives the validation scores after an epoch.
        keep
            Keeps the weights, which are the best so far.
        state
            Gives the arrays that going on from here needs.

        Raises
        ------
        TrialFailed
            If the validation objective is not finite.
        """
        place = self._place
        while place.epoch < last and place.without_gain < self._patience:
            epoch = place.epoch + 1
            loss = train(epoch)
            validation = validate(epoch)
            value = validation.value(self._metric)
            if not math.isfinite(value):
                raise TrialFailed(
                    f"diverged: validation {self._metric} is {value} after epoch {epoch}"
                )
            self.history.append({"epoch": epoch, "loss": loss, "value": value})
            if self._sign * value > self._best_value:
                self._best_value = self._sign * value
                self.best_epoch = epoch
                self.best_validation = validation
                with self.stage("keep"):
                    keep(epoch)
            place.count(epoch, self._sign * value)
            with self.stage("report"):
                self._report(epochs_completed=epoch, value=value, spent=self._spent())
            if self._checkpoint is not None and self._checkpoint.is_due():
                with self.stage("checkpoint"):
                    self._checkpoint.save(TrialState(state(), self._about(), epoch))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage; one entered several times adds up, and compiling stands apart."""
        started, compiled = time.perf_counter(), self._compiling.seconds
        yield
        compiled = self._compiling.seconds - compiled
        self.seconds["compile"] += compiled
        self.seconds[name] += time.perf_counter() - started - compiled

    def outcome(
        self,
        selection: Scores,
        *,
        weights: Mapping[str, Any],
        n_parameters: int,
    ) -> TrialOutcome:
        """Give what the trial ends with, its best weights measured on selection.

        Raises
        ------
        TrialFailed
            If no epoch was finished.
        """
        if self.best_validation is None:
            raise TrialFailed("no epoch was finished")
        return TrialOutcome(
            value=selection.value(self._metric),
            best_epoch=self.best_epoch,
            validation=self.best_validation,
            selection=selection,
            history=tuple(self.history),
            spent=self._spent(),
            weights=weights,
            n_parameters=n_parameters,
        )

    def _spent(self) -> Spent:
        return Spent(
            {name: round(spent, 4) for name, spent in self.seconds.items()},
            tuple(self._compiling.programs[self._n_compiled_before :]),
        )

    def resume(self) -> Mapping[str, Any] | None:
        """Go on where an earlier attempt has left its state, and give its arrays, if one has."""
        state = None if self._checkpoint is None else self._checkpoint.load()
        if state is None:
            return None
        about = state.about
        self._place = _Place(**about["course"])
        self._best_value = float(about["best_value"])
        self.best_epoch = int(about["best_epoch"])
        if about["best_validation"] is not None:
            self.best_validation = Scores.from_json(about["best_validation"])
        self.history = [dict(row) for row in about["history"]]
        self.seconds |= about["seconds"]
        return state.arrays

    def _about(self) -> dict[str, Any]:
        return {
            "course": asdict(self._place),
            "best_value": self._best_value,
            "best_epoch": self.best_epoch,
            "best_validation": None
            if self.best_validation is None
            else self.best_validation.as_json(),
            "history": list(self.history),
            "seconds": dict(self.seconds),
        }
