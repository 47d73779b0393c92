"""The guard: keeps storage, heartbeat and checkpoints here, and lets a child do the training.

One child serves trial after trial, so that a program is compiled once; it is replaced when it
has died, or has no room left for another trial within its memory limit. Whatever a trial reports
or saves, it asks its guard for.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Any

from tuner.config import ExecutionSettings, Settings
from tuner.errors import ConfigError, TrialDied, TrialFailed
from tuner.isolation.growth import Growth
from tuner.isolation.messages import Answer, Ask, Ended, Learn, Log, Ready, Run, Stop
from tuner.isolation.process import ChildDied, ChildProcess
from tuner.isolation.recipe import Recipe
from tuner.pipeline import Fold
from tuner.records import Checkpoint, Report, StopRequested, TrialOutcome, TrialSeeds

__all__ = ["Guard", "GuardedRun"]

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_DROP_SECONDS = 3.0  # an epoch is made of calls of at most two


class Guard:
    """Runs trials of any number of studies in one guarded child, until the body ends.

    Parameters
    ----------
    limits
        `trial_seconds` and `trial_memory_gb` of each trial; None for no limit.
    """

    def __init__(self, limits: ExecutionSettings) -> None:
        self._limits = limits
        self._recipes: list[Recipe] = []
        self._known: set[int] = set()
        self._child: ChildProcess | None = None
        self._growth = Growth()
        self._is_busy = False

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end_child()

    def runner(
        self, recipe: Recipe, *, stop_requested: StopRequested = lambda: None
    ) -> GuardedRun:
        """Give what runs configurations by a recipe, in the child, which learns it at once.

        Raises
        ------
        ConfigError
            If the child has no room within its memory limit: no trial is begun in vain.
        """
        self._recipes.append(recipe)
        number = len(self._recipes) - 1
        try:
            self._child_that_knows(number, stop_requested)
        except ChildDied:
            self._end_child()  # the first trial finds out, and says so
        return GuardedRun(self, number)

    def run(
        self,
        number: int,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None,
        fold: Fold | None,
    ) -> TrialOutcome:
        """Run a configuration by a recipe, see `GuardedRun`."""
        desk = _Desk(report, checkpoint)
        try:
            self._end_full_child()
            child = self._child_that_knows(number, stop_requested)
            self._is_busy = True
            self._growth.begin_trial(child.memory_gb())
            child.send(Run(number, settings, seeds, checkpoint is not None, fold))
            ended = self._attend(child, desk, stop_requested)
            self._is_busy = False
            self._growth.see(child.memory_gb())
            self._growth.end_trial()
        except ChildDied as death:
            self._end_child()
            raise TrialDied(str(death), epoch=desk.epochs_completed + 1) from death
        except Exception:
            self._drop_trial()
            raise
        except BaseException:
            self._end_child()
            raise
        if ended.error is not None:
            raise ended.error
        if ended.outcome is None:
            raise TrialFailed("its process dropped it without a reason")
        return ended.outcome

    def _child_that_knows(self, number: int, stop_requested: StopRequested) -> ChildProcess:
        if self._child is None:
            self._child = ChildProcess()
            self._known.clear()
        child = self._child
        if number in self._known:
            return child
        child.send(Learn(number, self._recipes[number]))
        while True:
            stop_requested()
            self._check_room(child)
            match child.receive(_LOOK_SECONDS):
                case Log(record):
                    _hand_on(record)
                case Ready():
                    self._known.add(number)
                    return child
                case Ended(error=error) if error is not None:
                    raise error

    def _attend(self, child: ChildProcess, desk: _Desk, stop_requested: StopRequested) -> Ended:
        """Answer the trial until it has ended."""
        began, waiting = time.monotonic(), 0.0
        while True:
            stop_requested()
            self._check_limits(child, time.monotonic() - began - waiting)
            match child.receive(_LOOK_SECONDS):
                case Log(record):
                    _hand_on(record)
                case Ask() as question:
                    asked = time.monotonic()
                    child.send(Answer(desk.answer(question)))
                    # A database that is away is not the trial's doing.
                    waiting += time.monotonic() - asked
                case Ended() as ended:
                    return ended

    def _check_room(self, child: ChildProcess) -> None:
        limit = self._limits.trial_memory_gb
        if limit is not None and child.memory_gb() > limit:
            self._end_child()
            raise ConfigError(
                "execution.trial_memory_gb must leave room for what a process takes before its "
                f"first trial, which is more than that; got {limit:g}."
            )

    def _check_limits(self, child: ChildProcess, seconds: float) -> None:
        limits, taken = self._limits, child.memory_gb()
        self._growth.see(taken)
        if limits.trial_memory_gb is not None and taken > limits.trial_memory_gb:
            raise ChildDied(
                f"its process took {taken:.2f} GB of memory, more than "
                f"execution.trial_memory_gb = {limits.trial_memory_gb:g}"
            )
        if limits.trial_seconds is not None and seconds > limits.trial_seconds:
            raise TrialFailed(
                f"it ran longer than execution.trial_seconds = {limits.trial_seconds:g}"
            )

    def _drop_trial(self) -> None:
        """Let the child drop its trial and keep its programs, if it does so in time."""
        child = self._child
        if child is None or not self._is_busy:
            return
        end = time.monotonic() + _DROP_SECONDS
        try:
            child.send(Stop())
            while (seconds := end - time.monotonic()) > 0:
                if isinstance(child.receive(seconds), Ended):
                    self._is_busy = False
                    return
        except ChildDied:
            pass  # as good
        self._end_child()

    def _end_full_child(self) -> None:
        """End a child whose programs of earlier trials leave too little memory for the next."""
        limit, child = self._limits.trial_memory_gb, self._child
        if limit is None or child is None:
            return
        taken = child.memory_gb()
        if not self._growth.leaves_room(taken, limit):
            _log.info(
                "a new process for the next trial: the last one has grown to %.2f GB, and "
                "execution.trial_memory_gb is %g",
                taken,
                limit,
            )
            self._end_child()

    def _end_child(self) -> None:
        self._growth.begin_child()
        if self._child is not None:
            self._child.kill()
            self._child = None
            self._is_busy = False


class GuardedRun:
    """Runs configurations by one recipe in the guard's child; called as `StudyTrials.run_trial`.

    Raises
    ------
    TrialDied
        If the child died: of a signal, of its memory limit, or by itself.
    TrialFailed
        If the time limit is over, or as the recipe's own.
    """

    def __init__(self, guard: Guard, number: int) -> None:
        self._guard = guard
        self._number = number

    def __call__(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None = None,
        fold: Fold | None = None,
    ) -> TrialOutcome:
        """Run one configuration once."""
        return self._guard.run(
            self._number,
            settings,
            seeds=seeds,
            report=report,
            stop_requested=stop_requested,
            checkpoint=checkpoint,
            fold=fold,
        )


class _Desk:
    """Answers what a trial in the child asks for, and remembers how far it has come."""

    def __init__(self, report: Report, checkpoint: Checkpoint | None) -> None:
        self._report = report
        self._checkpoint = checkpoint
        self.epochs_completed = 0

    def answer(self, question: Ask) -> Any:
        """Give the answer; what report and checkpoint raise ends the trial."""
        checkpoint = self._checkpoint
        match question.what:
            case "report":
                epochs_completed, value, spent = question.content
                self.epochs_completed = epochs_completed
                return self._report(epochs_completed=epochs_completed, value=value, spent=spent)
            case "load" if checkpoint is not None:
                state = checkpoint.load()
                self.epochs_completed = 0 if state is None else state.epoch
                return state
            case "is_due" if checkpoint is not None:
                return checkpoint.is_due()
            case "save" if checkpoint is not None:
                return checkpoint.save(question.content)
        raise ValueError(f"nobody here answers {question.what!r}")


def _hand_on(record: logging.LogRecord) -> None:
    logging.getLogger(record.name).handle(record)
