"""Create, continue and run a study: exactly the trials asked for, whatever died before."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.config import (
    Settings,
    apply_params,
    did_you_mean,
    settings_digest,
    settings_record,
)
from tuner.errors import ConfigError, Interrupted, StorageError, TooManyFailures, TrialFailed
from tuner.records import Progress, StopRequested, TrialOutcome, TrialRecord
from tuner.search.freeze import freeze
from tuner.search.grid import Grid
from tuner.search.objective import RunTrial, TrialReport, trial_seeds
from tuner.search.owner import current_owner, is_dead
from tuner.search.pruner import build_pruner
from tuner.search.sampler import build_sampler
from tuner.search.space import default_params, distributions, suggest
from tuner.search.storage import close_storage, open_storage, slot_lock

__all__ = [
    "EndsEarly",
    "Search",
    "best_trial",
    "count_trials",
    "list_studies",
    "read_trials",
    "top_trials",
]

FAILURES_FROM_START = 5
FAILURES_IN_A_ROW = 10
RETRIES_MAX = 3
_WAIT_SECONDS = 1.0
_CONFIRMATION = "confirmation:"

EndsEarly = Callable[[Sequence[TrialRecord]], str | None]


def _never(_: Sequence[TrialRecord]) -> str | None:
    return None


class Search:
    """One study in its storage.

    Parameters
    ----------
    settings
        Resolved settings; written into the study when it is created, compared when it is
        continued.
    fingerprint
        Of the data.
    storage_url
        SQLite or PostgreSQL.
    study_name
        Name in the storage.
    """

    def __init__(
        self, settings: Settings, *, fingerprint: str, storage_url: str, study_name: str
    ) -> None:
        self.settings = settings
        self.study_name = study_name
        self.space = distributions(settings)
        self._grid = (
            Grid(self.space, seed=settings.study.seed) if settings.sampler.name == "grid" else None
        )
        self._storage: RDBStorage = open_storage(storage_url, create=True)
        try:
            self._create(study_name, fingerprint)
        except BaseException:
            self.close()
            raise

    def _create(self, study_name: str, fingerprint: str) -> None:
        with slot_lock(self._storage, study_name):
            self.is_new = study_name not in set(optuna.get_all_study_names(self._storage))
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=study_name,
                direction=self.settings.direction,
                load_if_exists=True,
                pruner=build_pruner(self.settings.pruner, epochs_max=self.settings.epochs_max),
            )
            self._write_or_compare(fingerprint)
        self.n_reaped = self._reap()

    # -- identity -----------------------------------------------------------------------------

    def _write_or_compare(self, fingerprint: str) -> None:
        attributes = self._study.user_attrs
        record = settings_record(self.settings)
        # The digest comes last: a study that was cut off before it is written again.
        if "settings_digest" not in attributes:
            if self._study.get_trials(deepcopy=False):
                raise ConfigError(
                    f"--study-name {self.study_name!r} is a study that tuner did not make; "
                    "choose another name."
                )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._study.set_metric_names([self.settings.study.metric])
            self._study.set_user_attr("settings", record)
            self._study.set_user_attr("fingerprint", fingerprint)
            self._study.set_user_attr("settings_digest", settings_digest(self.settings))
            return
        if attributes["fingerprint"] != fingerprint:
            raise ConfigError(
                f"--study-name {self.study_name!r} was made with other data: its fingerprint "
                f"is {attributes['fingerprint'][:12]}…, now it is {fingerprint[:12]}…."
            )
        if attributes["settings_digest"] != settings_digest(self.settings):
            differences = _differences(attributes["settings"], record)
            raise ConfigError(
                f"--study-name {self.study_name!r} was made with other settings: "
                + "; ".join(differences[:5])
                + "."
            )

    # -- running ------------------------------------------------------------------------------

    def run(
        self,
        run_trial: RunTrial,
        *,
        total: int,
        progress: Progress,
        stop_requested: StopRequested,
        keep_weights: Callable[[int, TrialOutcome], str],
        ends_early: EndsEarly = _never,
    ) -> str:
        """Run trials until the study has `total` finished ones.

        Parameters
        ----------
        run_trial
            Runs one configuration.
        total
            Finished trials (complete + pruned) the study shall have.
        progress
            Watches.
        stop_requested
            Raises `Interrupted` when a signal has come in.
        keep_weights
            Stores a complete trial's weights before it is told and gives their digest.
        ends_early
            Asked before each trial: gives the outcome to end with, such as "timeout", or None.

        Returns
        -------
        str
            "complete", "exhausted" when the whole grid has been tried, or what `ends_early` said.

        Raises
        ------
        TooManyFailures
            After 5 failed trials from the start, or 10 in a row.
        Interrupted
            From `stop_requested`; the running trial is closed first.
        """
        while True:
            stop_requested()
            trials = self.trials()
            _check_failures(trials)
            early = ends_early(trials)
            if early is not None and count_trials(trials)["finished"] < total:
                return early
            trial = self._claim(total)
            if trial is not None:
                self._run_one(trial, run_trial, progress, stop_requested, keep_weights)
            elif self.counts()["finished"] >= total:
                return "complete"
            elif self._is_exhausted():
                return "exhausted"
            else:
                time.sleep(_WAIT_SECONDS)  # other processes run the last ones
                self._reap()

    def _claim(self, total: int) -> optuna.Trial | None:
        """Take a slot if one is free: counted and taken under one lock."""
        with slot_lock(self._storage, self.study_name):
            trials = self._study.get_trials(deepcopy=False)
            taken = sum(
                trial.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
                for trial in trials
            )
            if taken >= total:
                return None
            if not trials:
                self._study.enqueue_trial(
                    default_params(self.settings, self.space), user_attrs={"default": True}
                )
            elif self._grid is not None and not _waiting(trials):
                # Queued under the lock, so that no two processes take one point.
                point = self._grid.next_point(map(_asked_params, _tried(trials)))
                if point is None:
                    return None
                self._study.enqueue_trial(point)
            trial = self._study.ask()
            trial.set_user_attr("owner", current_owner())
            return trial

    def _is_exhausted(self) -> bool:
        """Say whether every point of the grid has been tried, and nobody runs one any more."""
        if self._grid is None:
            return False
        trials = self._study.get_trials(deepcopy=False)
        is_busy = any(not trial.state.is_finished() for trial in trials)
        return not is_busy and self._grid.next_point(map(_asked_params, _tried(trials))) is None

    def _run_one(
        self,
        trial: optuna.Trial,
        run_trial: RunTrial,
        progress: Progress,
        stop_requested: StopRequested,
        keep_weights: Callable[[int, TrialOutcome], str],
    ) -> None:
        origin = int(trial.user_attrs.get("origin", trial.number))
        seed = self.settings.study.seed
        self._study.sampler = build_sampler(
            self.settings.sampler, self.space, study_seed=seed, number=origin
        )
        try:
            params = suggest(trial, self.space)
            if self._tell_if_duplicate(trial, params):
                progress.trial_finished(self._record(trial.number))
                return
            progress.trial_started(trial.number, params)
            outcome = run_trial(
                apply_params(self.settings, params),
                seeds=trial_seeds(seed, origin),
                report=TrialReport(trial, progress, may_prune=origin != 0),
                stop_requested=stop_requested,
            )
            if not math.isfinite(outcome.value):
                raise TrialFailed(
                    f"diverged: selection {self.settings.study.metric} is not finite"
                )
            digest = keep_weights(trial.number, outcome)
            self._note(trial, outcome, digest)
            self._study.tell(trial, outcome.value)
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except (TrialFailed, ConfigError) as failure:
            # A setting out of its rule can come up only in this combination of the space.
            self._fail(trial, str(failure))
        except (Interrupted, StorageError) as cut_off:
            # A signal or a full disk says nothing about the configuration: it runs again.
            self._fail(trial, str(cut_off), retry=True)
            raise
        except BaseException as error:
            # A bug, or the storage itself: leave no orphan behind if that can be helped.
            self._fail(trial, f"{type(error).__name__}: {error}", retry=False)
            raise
        progress.trial_finished(self._record(trial.number))

    def _note(self, trial: optuna.Trial, outcome: TrialOutcome, digest: str) -> None:
        for name, value in {
            "best_epoch": outcome.best_epoch,
            "validation": _without_classes(outcome.validation.as_json()),
            "selection": _without_classes(outcome.selection.as_json()),
            "seconds": dict(outcome.seconds),
            "n_parameters": outcome.n_parameters,
            "programs_compiled": outcome.n_traces,
            "weights": digest,
        }.items():
            trial.set_user_attr(name, value)

    def _tell_if_duplicate(self, trial: optuna.Trial, params: Mapping[str, Any]) -> bool:
        """Close a proposal that equals a finished trial with that trial's result."""
        for other in self._study.get_trials(
            deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
        ):
            if other.number != trial.number and other.params == params:
                trial.set_user_attr("duplicate_of", other.number)
                for step, value in other.intermediate_values.items():
                    trial.report(value, step)
                if other.state == TrialState.PRUNED:
                    # It has no value that could be copied: its weights were never measured.
                    self._study.tell(trial, state=TrialState.PRUNED)
                else:
                    for name in ("best_epoch", "validation", "selection", "weights"):
                        trial.set_user_attr(name, other.user_attrs.get(name))
                    self._study.tell(trial, other.value)
                return True
        return False

    def _fail(self, trial: optuna.Trial, reason: str, *, retry: bool = False) -> None:
        trial.set_user_attr("failure", reason[:1000])
        frozen = self._storage.get_trial(trial._trial_id)
        if retry:
            self._enqueue_retry(frozen)
        self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _enqueue_retry(self, trial: FrozenTrial) -> None:
        """Queue a cut-off trial again, with its parameters and its original's seeds."""
        attempt = int(trial.user_attrs.get("attempt", 1))
        if attempt > RETRIES_MAX:
            return  # whoever runs it dies: it stays failed, and another configuration is drawn
        is_default = bool(trial.user_attrs.get("default"))
        attributes = {
            "origin": int(trial.user_attrs.get("origin", trial.number)),
            "attempt": attempt + 1,
            "default": is_default,
        }
        self._storage.set_trial_user_attr(trial._trial_id, "retried", True)
        # Cut off before all were drawn, the rest is drawn again with the same seed.
        params = default_params(self.settings, self.space) if is_default else trial.params
        self._study.enqueue_trial(params, user_attrs=attributes)

    def _reap(self) -> int:
        """Close running trials whose process on this host is dead, and queue them again."""
        n_reaped = 0
        with slot_lock(self._storage, self.study_name):
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if is_dead(trial.user_attrs.get("owner")):
                    self._storage.set_trial_user_attr(
                        trial._trial_id, "failure", "interrupted: its process died"
                    )
                    self._enqueue_retry(trial)
                    self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                    n_reaped += 1
        return n_reaped

    def close(self) -> None:
        """Give the storage's connections back."""
        close_storage(self._storage)

    # -- reading ------------------------------------------------------------------------------

    def trials(self) -> list[TrialRecord]:
        """Give all trials but the waiting ones, by number."""
        records = [freeze(trial) for trial in self._study.get_trials(deepcopy=False)]
        return [record for record in records if record.state != "waiting"]

    def counts(self) -> dict[str, int]:
        """Count trials, see `count_trials`."""
        return count_trials(self.trials())

    def best(self) -> TrialRecord | None:
        """Give the complete trial with the best selection value; the earlier of equal ones."""
        return best_trial(self.trials(), self.settings.direction)

    def set_note(self, text: str) -> None:
        """Write the note that the dashboard shows with the study (Markdown)."""
        from optuna_dashboard import save_note

        save_note(self._study, text)

    # -- confirmation -------------------------------------------------------------------------

    def confirmations(self) -> dict[str, dict[str, Any]]:
        """Give the runs of the confirmation that are finished, by their key."""
        return {
            name.removeprefix(_CONFIRMATION): value
            for name, value in self._study.user_attrs.items()
            if name.startswith(_CONFIRMATION)
        }

    def note_confirmation(self, key: str, run: Mapping[str, Any]) -> None:
        """Keep a finished run of the confirmation, so that an interrupted one goes on."""
        self._study.set_user_attr(f"{_CONFIRMATION}{key}", dict(run))

    def _record(self, number: int) -> TrialRecord:
        return next(record for record in self.trials() if record.number == number)


def _check_failures(trials: Sequence[TrialRecord]) -> None:
    finished = [record for record in trials if record.state in ("complete", "pruned", "failed")]
    row: list[TrialRecord] = []
    for record in reversed(finished):
        if record.is_retried:
            continue
        if record.state != "failed":
            break
        row.append(record)
    from_start = len(row) == sum(not record.is_retried for record in finished)
    if len(row) >= (FAILURES_FROM_START if from_start else FAILURES_IN_A_ROW):
        where = "from the start" if from_start else "in a row"
        reasons = Counter(str(record.attributes.get("failure", "unknown")) for record in row)
        reason, _ = reasons.most_common(1)[0]
        raise TooManyFailures(f"{len(row)} trials failed {where}; the commonest reason: {reason}.")


def best_trial(trials: Sequence[TrialRecord], direction: str) -> TrialRecord | None:
    """Give the best complete trial, the earlier of equal ones; None where there is none."""
    sign = 1.0 if direction == "maximize" else -1.0
    complete = [t for t in trials if t.state == "complete" and t.value is not None]
    return max(complete, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)


def top_trials(trials: Sequence[TrialRecord], direction: str, k: int) -> list[TrialRecord]:
    """Give the best `k` complete trials, best first; copies of another trial do not count."""
    sign = 1.0 if direction == "maximize" else -1.0
    complete = [
        t
        for t in trials
        if t.state == "complete" and t.value is not None and "duplicate_of" not in t.attributes
    ]
    return sorted(complete, key=lambda t: (-sign * (t.value or 0.0), t.number))[:k]


def count_trials(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Count trials: finished (complete + pruned), and by state; retried ones are not failed."""
    states = Counter("retried" if trial.is_retried else trial.state for trial in trials)
    counts = {
        name: states[name] for name in ("complete", "pruned", "failed", "retried", "running")
    }
    return {"finished": counts["complete"] + counts["pruned"], **counts}


def _waiting(trials: Sequence[FrozenTrial]) -> bool:
    return any(trial.state == TrialState.WAITING for trial in trials)


def _tried(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Give the trials but those that a signal or a dead process cut off."""
    return [trial for trial in trials if not trial.user_attrs.get("retried")]


def _asked_params(trial: FrozenTrial) -> Mapping[str, Any]:
    # A running trial draws its parameters after its slot is taken.
    fixed: Mapping[str, Any] = trial.system_attrs.get("fixed_params", {})
    return {**fixed, **trial.params}


def _without_classes(scores: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scores.items() if name != "per_class"}


def _differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in tree.items():
            if isinstance(value, Mapping) and prefix.count(".") < 1:
                flat |= flatten(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = value
        return flat

    old, new = flatten(stored), flatten(wanted)
    return [
        f"{name} is {old.get(name)!r} there, {new.get(name)!r} here"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and name != "study.name"
    ]


def list_studies(storage_url: str) -> list[dict[str, Any]]:
    """Give name, direction, counts and best value of every study in a storage."""
    storage = open_storage(storage_url, create=False)
    try:
        return [_summary(storage, name) for name in optuna.get_all_study_names(storage)]
    finally:
        close_storage(storage)


def read_trials(storage_url: str, study_name: str) -> list[TrialRecord]:
    """Give the trials of one study.

    Raises
    ------
    ConfigError
        If the storage has no such study.
    """
    storage = open_storage(storage_url, create=False)
    try:
        names = optuna.get_all_study_names(storage)
        if study_name not in names:
            raise ConfigError(
                f"--study-name {study_name!r} is not in the storage."
                f"{did_you_mean(study_name, names)}"
            )
        return _load(storage, study_name)[1]
    finally:
        close_storage(storage)


def _summary(storage: RDBStorage, name: str) -> dict[str, Any]:
    study, trials = _load(storage, name)
    direction = study.direction.name.lower()
    best = best_trial(trials, direction)
    return {
        "study": name,
        "metric": (study.metric_names or ["value"])[0],
        "direction": direction,
        **count_trials(trials),
        "best": None if best is None else best.value,
        "best_trial": None if best is None else best.number,
    }


def _load(storage: RDBStorage, name: str) -> tuple[optuna.Study, list[TrialRecord]]:
    study = optuna.load_study(study_name=name, storage=storage)
    records = [freeze(trial) for trial in study.get_trials(deepcopy=False)]
    return study, [record for record in records if record.state != "waiting"]
