"""One trial that this process has claimed, from its parameters to how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from tuner.config import Settings, apply_params
from tuner.errors import (
    ConfigError,
    Interrupted,
    StorageError,
    TrialDied,
    TrialFailed,
    TrialTaken,
)
from tuner.last_resort import in_my_place
from tuner.records import Checkpoint, Progress, Spent, StopRequested, TrialOutcome, TrialRecord
from tuner.search.enduring import EnduringStorage
from tuner.search.identity import trial_identity
from tuner.search.objective import (
    RunTrial,
    TrialReport,
    TrialStore,
    check_finite,
    trial_seeds,
)
from tuner.search.ranking import count_better
from tuner.search.retries import DEATHS_MAX, retry_attributes
from tuner.search.space import suggest
from tuner.search.stopwatch import Stopwatch

__all__ = ["ClaimedTrial"]

_HAND_BACK_SECONDS = 2.0

_log = logging.getLogger(__name__)


class ClaimedTrial:
    """A trial whose slot is ours.

    Parameters
    ----------
    storage, study, trial
        Where it is.
    owner
        Who we are, see `claiming_owner`.
    settings
        The study's.
    identity
        The study's, see `study_identity`.
    watch
        Measures what happens around the training.
    about
        What this process notes with every trial that it finishes.
    read_trials
        Gives the study's trials as they are now.
    """

    def __init__(
        self,
        storage: EnduringStorage,
        study: optuna.Study,
        trial: optuna.Trial,
        *,
        owner: Mapping[str, Any],
        settings: Settings,
        identity: str,
        watch: Stopwatch,
        about: Mapping[str, Any],
        read_trials: Callable[[], Sequence[TrialRecord]],
    ) -> None:
        self._storage = storage
        self._study = study
        self._trial = trial
        self._owner = owner
        self._settings = settings
        self._identity = identity
        self._watch = watch
        self._about = about
        self._read_trials = read_trials

    def run(
        self,
        space: Mapping[str, BaseDistribution],
        run_trial: RunTrial,
        progress: Progress,
        stop_requested: StopRequested,
        store: TrialStore,
    ) -> None:
        """Draw its parameters, train, and tell how it ended; see `Search.run_one`."""
        trial = self._trial
        origin = int(trial.user_attrs.get("origin", trial.number))
        attempt = int(trial.user_attrs.get("attempt", 1))
        seeds = trial_seeds(self._settings.study.seed, origin)
        checkpoint = store.checkpoint(origin, attempt, "")  # what it is, its parameters tell
        report = TrialReport(self._storage, trial, progress, may_prune=origin != 0)
        try:
            with self._watch.stage("suggest"), self._storage.writing_together():
                params = suggest(trial, space)
            if self._finish_if_duplicate(params):
                return
            self._refuse_if_set_aside(params)
            identity = trial_identity(self._identity, params, seeds)
            checkpoint = store.checkpoint(origin, attempt, identity)
            progress.trial_started(trial.number, params)
            with in_my_place(lambda signal: self._hand_back(str(Interrupted(signal)))):
                outcome = run_trial(
                    apply_params(self._settings, params),
                    seeds=seeds,
                    report=report,
                    stop_requested=stop_requested,
                    checkpoint=checkpoint,
                )
            check_finite(outcome, self._settings.study.metric)
            with self._watch.stage("store"):
                n_better = count_better(
                    self._read_trials(), self._settings.direction, outcome.value
                )
                # Those of trial 0 are kept whatever they are worth.
                weights = store.keep_weights(outcome, n_better=0 if origin == 0 else n_better)
            attributes = _noted(outcome, weights, self._watch.seconds())
            self._finish(TrialState.COMPLETE, outcome.value, attributes)
            checkpoint.clear()
        except optuna.TrialPruned:
            self._finish(TrialState.PRUNED, attributes=_cost(report.spent, self._watch.seconds()))
            checkpoint.clear()
        except (TrialFailed, ConfigError) as failure:
            # A setting out of its rule can come up only in this combination of the space.
            self._close(str(failure), attributes=_cost(report.spent, self._watch.seconds()))
            checkpoint.clear()
        except TrialDied as death:
            self._run_again_or_set_aside(death, checkpoint)
        except (Interrupted, StorageError, KeyboardInterrupt) as cut_off:
            # A signal or a full disk says nothing about the configuration: it runs again.
            self._hand_back(str(cut_off) or "stopped by a second Ctrl-C")
            raise
        except (TrialTaken, UpdateFinishedTrialError, SQLAlchemyError, StorageInternalError):
            raise  # closed by another one; or closing would wait for the same database in vain
        except BaseException as error:
            # A bug: leave no orphan behind if that can be helped.
            self._close(f"{type(error).__name__}: {error}")
            raise

    def _finish(
        self,
        state: TrialState,
        value: float | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        with self._watch.stage("tell"):
            self._storage.finish_trial(
                self._trial._trial_id,
                state=state,
                value=value,
                attributes={**(attributes or {}), "about": dict(self._about)},
                owner=self._owner,
            )

    def _finish_if_duplicate(self, params: Mapping[str, Any]) -> bool:
        """Close a proposal that equals a finished trial with that trial's result."""
        trial = self._trial
        for other in self._study.get_trials(
            deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
        ):
            if other.number != trial.number and other.params == params:
                known = self._storage.get_trial(trial._trial_id).intermediate_values
                for step, value in other.intermediate_values.items():
                    if step not in known:
                        trial.report(value, step)
                copied: dict[str, Any] = {"duplicate_of": other.number}
                if other.state == TrialState.COMPLETE:
                    # A pruned one has nothing to copy: its weights were never measured.
                    names = ("best_epoch", "validation", "selection", "weights")
                    copied |= {name: other.user_attrs.get(name) for name in names}
                self._finish(other.state, other.value, copied)
                return True
        return False

    def _refuse_if_set_aside(self, params: Mapping[str, Any]) -> None:
        """Raise `TrialFailed` for a proposal whose process has died as often as it may."""
        for other in self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            if other.user_attrs.get("set_aside") and other.params == params:
                raise TrialFailed(f"the same as trial {other.number}, which was set aside")

    def _close(
        self,
        reason: str,
        *,
        retry: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self._storage.close_trial(
            self._study._study_id,
            self._trial._trial_id,
            reason=reason,
            retry=retry,
            attributes={**(attributes or {}), "about": dict(self._about)},
        )

    def _run_again_or_set_aside(self, death: TrialDied, checkpoint: Checkpoint) -> None:
        """Queue a trial again whose guarded process died, unless it has so often in one epoch."""
        trial = self._trial
        reason = death.reason
        retry = retry_attributes(
            trial.number, trial.user_attrs, is_lost=False, death_epoch=death.epoch
        )
        if retry is not None:
            _log.warning("trial %d runs again: %s", trial.number, reason)
            self._close(reason, retry=retry)
            return
        reason = f"set aside after {DEATHS_MAX} deaths in one epoch: {reason}"
        _log.warning("trial %d is %s", trial.number, reason)
        self._close(reason, attributes={"set_aside": True})
        checkpoint.clear()

    def _hand_back(self, reason: str) -> None:
        """Queue a trial again, now or never: who was told to stop must not wait for long."""
        trial, storage = self._trial, self._storage
        storage.heed(lambda: None)
        patient = storage.endurance
        storage.endurance = replace(patient, outage_seconds=_HAND_BACK_SECONDS)
        try:
            self._close(
                reason,
                retry=retry_attributes(trial.number, trial.user_attrs, is_lost=False),
            )
        except (SQLAlchemyError, StorageInternalError):
            _log.warning("trial %d could not be handed back; it is found later", trial.number)
        finally:
            storage.endurance = patient


def _noted(outcome: TrialOutcome, digest: str, around: Mapping[str, float]) -> dict[str, Any]:
    return {
        "best_epoch": outcome.best_epoch,
        "validation": _without_classes(outcome.validation.as_json()),
        "selection": _without_classes(outcome.selection.as_json()),
        "n_parameters": outcome.n_parameters,
        "weights": digest,
        **_cost(outcome.spent, around),
    }


def _cost(spent: Spent, around: Mapping[str, float]) -> dict[str, Any]:
    """Give what is noted of a trial's cost, however it ended."""
    return {
        "seconds": {**spent.seconds, **around},
        "programs_compiled": len(spent.programs),
        **({"programs": list(spent.programs)} if spent.programs else {}),
    }


def _without_classes(scores: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scores.items() if name != "per_class"}
