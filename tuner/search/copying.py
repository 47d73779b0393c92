"""Copy studies from one storage to another, with all that belongs to them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.errors import ConfigError
from tuner.search.blob_table import TableBlobs, has_blobs
from tuner.search.enduring import EnduringStorage
from tuner.search.freeze import freeze
from tuner.search.ranking import best_trial
from tuner.search.storage import close_storage, open_storage
from tuner.search.terms import read_terms
from tuner.search.urls import mask

__all__ = ["CopiedStudy", "copy_studies"]


@dataclass(frozen=True, slots=True)
class CopiedStudy:
    """A study that was copied.

    `n_trials` and `n_blobs` count what has been; `is_in_folder` says that its data, weights and
    checkpoints lie in its run directory, and so were not. There are the data of `fingerprint`,
    and the blob `best_weights` (None before the first complete trial).
    """

    name: str
    n_trials: int
    n_blobs: int
    is_in_folder: bool
    fingerprint: str | None
    best_weights: str | None


def copy_studies(source_url: str, target_url: str) -> list[CopiedStudy]:
    """Copy every study of a storage, with attributes, trials by number, and blobs.

    Trials keep their numbers, values, curves and times. A running one is copied as queued again:
    its worker does not know the new storage. Blobs in a folder stay there: they are found by the
    name of the study, in whatever storage that is.

    Raises
    ------
    ConfigError
        If both are one storage, or the target has a study of the same name.
    """
    if mask(source_url) == mask(target_url):
        raise ConfigError(f"TO must be another storage than FROM; got {mask(target_url)!r} twice.")
    with ExitStack() as opened:
        source = open_storage(source_url, create=False)
        opened.callback(close_storage, source)
        target = open_storage(target_url, create=True)
        opened.callback(close_storage, target)
        studies = source.get_all_studies()
        there = set(optuna.get_all_study_names(target))
        known = sorted(study.study_name for study in studies if study.study_name in there)
        if known:
            raise ConfigError(
                f"TO must not have a study of the same name, since none is overwritten; it has "
                f"{known[0]!r}."
            )
        return [_copy_study(source, target, study) for study in studies]


def _copy_study(source: EnduringStorage, target: EnduringStorage, study: Any) -> CopiedStudy:
    study_id = target.create_new_study(study.directions, study.study_name)
    trials = source.get_all_trials(study._study_id)
    best = best_trial([freeze(trial) for trial in trials], study.directions[0].name.lower())
    for trial in trials:
        RDBStorage.create_new_trial(target, study_id, _whole(trial))
    n_blobs = 0
    if has_blobs(source):
        there, here = TableBlobs(source, study._study_id), TableBlobs(target, study_id)
        keys = there.keys()
        for key in keys:
            content = there.get(key)
            if content is not None:
                here.put(key, content)
                n_blobs += 1
    for name, value in study.system_attrs.items():
        target.set_study_system_attr(study_id, name, value)
    # Last: a copy that was cut off is none that a worker would join.
    for name, value in sorted(study.user_attrs.items(), key=lambda item: "digest" in item[0]):
        target.set_study_user_attr(study_id, name, value)
    terms = read_terms(study.user_attrs)
    return CopiedStudy(
        study.study_name,
        n_trials=len(trials),
        n_blobs=n_blobs,
        is_in_folder=terms is not None and terms.blobs == "folder",
        fingerprint=study.user_attrs.get("fingerprint"),
        best_weights=None if best is None else best.attributes.get("weights"),
    )


def _whole(trial: FrozenTrial) -> FrozenTrial:
    if trial.state != TrialState.RUNNING:
        return trial
    trial.state = TrialState.WAITING
    trial.system_attrs["fixed_params"] = {
        **trial.system_attrs.get("fixed_params", {}),
        **trial.params,
    }
    trial.params, trial.distributions = {}, {}
    trial.user_attrs.pop("owner", None)
    return trial
