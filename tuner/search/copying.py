"""Copy studies from one storage to another, with all that belongs to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from tuner.errors import ConfigError, StorageError
from tuner.search.blob_table import TableBlobs, has_blobs
from tuner.search.enduring import EnduringStorage
from tuner.search.freeze import freeze
from tuner.search.owner import claiming_owner, is_dead
from tuner.search.ranking import best_trial
from tuner.search.storage import close_storage, open_storage, storage_errors
from tuner.search.terms import read_terms
from tuner.search.urls import mask

__all__ = ["CopiedStudy", "copy_studies"]

_BEGUN = "copying"
"""Attribute of a study that is not copied whole yet; it says who is at it, and was when."""
_BEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class CopiedStudy:
    """A study that was copied.

    `n_trials` and `n_blobs` count what has been; `was_there` says that an earlier run has done
    it. `is_in_folder` says that its data, weights and checkpoints lie in its run directory, and
    so were not copied. There are the data of `fingerprint`, and the blob `best_weights` (None
    before the first complete trial).
    """

    name: str
    n_trials: int
    n_blobs: int
    was_there: bool
    is_in_folder: bool
    fingerprint: str | None
    best_weights: str | None


def copy_studies(source_url: str, target_url: str) -> list[CopiedStudy]:
    """Copy every study of a storage, with attributes, trials by number, and blobs.

    Trials keep their numbers, values, curves and times. A running one is copied as queued again:
    its worker does not know the new storage. Blobs in a folder stay there: they are found by the
    name of the study, in whatever storage that is. A study of which an earlier copy has all
    trials is left as it is, and one whose copying was cut off is copied anew.

    Raises
    ------
    ConfigError
        If both are one storage, or the target has another study of the same name.
    StorageError
        If one of them fails; names which.
    """
    if mask(source_url) == mask(target_url):
        raise ConfigError(f"TO must be another storage than FROM; got {mask(target_url)!r} twice.")
    with ExitStack() as opened, storage_errors(target_url):
        with storage_errors(source_url):
            source = open_storage(source_url, create=False)
            opened.callback(close_storage, source)
            studies = source.get_all_studies()
        target = open_storage(target_url, create=True)
        opened.callback(close_storage, target)
        there = {study.study_name: study for study in target.get_all_studies()}
        read = [_Read(source, source_url, study) for study in studies]
        for study in read:
            study.refuse_another(target, there.get(study.name))
        return [study.copy(target, there.get(study.name)) for study in read]


class _Read:
    """A study of the source."""

    def __init__(self, source: EnduringStorage, source_url: str, study: Any) -> None:
        self._source = source
        self._url = source_url
        self._study = study
        self.name: str = study.study_name

    def _trials(self) -> list[FrozenTrial]:
        with storage_errors(self._url):
            return self._source.get_all_trials(self._study._study_id)

    def refuse_another(self, target: EnduringStorage, there: Any | None) -> None:
        """Raise `ConfigError` if the target has a study of this name that is no copy of it."""
        if there is None:
            return
        begun = there.user_attrs.get(_BEGUN)
        if begun is not None and _is_at_it(target, begun):
            raise ConfigError(
                f"TO must not be written by two copies at once: {self.name!r} is being copied by "
                f"process {begun.get('pid')} on {begun.get('host')}."
            )
        if not _is_begun(target, there) and not self._is_copied(target, there):
            raise ConfigError(
                f"TO must not have a study of the same name, since none is overwritten; it has "
                f"{self.name!r}."
            )

    def _is_copied(self, target: EnduringStorage, there: Any) -> bool:
        mine, its = self._study.user_attrs, there.user_attrs
        if any(mine.get(name) != its.get(name) for name in ("fingerprint", "settings_digest")):
            return False
        copied = _ends(target.get_all_trials(there._study_id, deepcopy=False))
        return all(copied.get(n) == end for n, end in _ends(self._trials()).items())

    def copy(self, target: EnduringStorage, there: Any | None) -> CopiedStudy:
        """Copy it, unless an earlier run has."""
        trials = self._trials()
        if there is not None and not _is_begun(target, there):
            return self._copied(trials, n_blobs=0, was_there=True)
        if there is not None:
            _remove(target, there._study_id)
        study_id = target.create_new_study(self._study.directions, self.name)
        mark: _Mark | None = None
        try:
            mark = _Mark(target, study_id)
            copied = self._copied(trials, n_blobs=self._copy_into(target, study_id, trials, mark))
        except BaseException:
            # Killed, it leaves this to the next run.
            with suppress(SQLAlchemyError, StorageInternalError, KeyError):
                if mark is None or mark.is_there():
                    _remove(target, study_id)
            raise
        return copied

    def _copy_into(
        self,
        target: EnduringStorage,
        study_id: int,
        trials: Sequence[FrozenTrial],
        mark: _Mark,
    ) -> int:
        for trial in trials:
            mark.beat()
            target.copy_trial(study_id, _whole(trial))
        n_blobs = self._copy_blobs(target, study_id, mark)
        for name, value in self._study.system_attrs.items():
            target.set_study_system_attr(study_id, name, value)
        # Last, and all at once: a copy that was cut off is none that a worker would join.
        target.replace_study_attributes(study_id, self._study.user_attrs)
        return n_blobs

    def _copy_blobs(self, target: EnduringStorage, study_id: int, mark: _Mark) -> int:
        with storage_errors(self._url):
            if not has_blobs(self._source):
                return 0
            blobs = TableBlobs(self._source, self._study._study_id)
            keys = blobs.keys()
        here = TableBlobs(target, study_id)
        n_blobs = 0
        for key in keys:
            mark.beat()
            with storage_errors(self._url):
                content = blobs.get(key)
            if content is not None:
                here.put(key, content)
                n_blobs += 1
        return n_blobs

    def _copied(
        self, trials: Sequence[FrozenTrial], *, n_blobs: int, was_there: bool = False
    ) -> CopiedStudy:
        attributes = self._study.user_attrs
        terms = read_terms(attributes)
        direction = self._study.directions[0].name.lower()
        best = best_trial([freeze(trial) for trial in trials], direction)
        return CopiedStudy(
            self.name,
            n_trials=len(trials),
            n_blobs=n_blobs,
            was_there=was_there,
            is_in_folder=terms is not None and terms.blobs == "folder",
            fingerprint=attributes.get("fingerprint"),
            best_weights=None if best is None else best.attributes.get("weights"),
        )


class _Mark:
    """Says in a study that this process copies it, and that it still does."""

    def __init__(self, target: EnduringStorage, study_id: int) -> None:
        self._target = target
        self._study_id = study_id
        self._owner = claiming_owner()
        self._written = time.monotonic()
        self._write(holds=lambda _: True)

    def beat(self) -> None:
        """Write the time down now and then.

        Raises
        ------
        StorageError
            If another process has taken over, since it took this one for dead.
        """
        if time.monotonic() - self._written < _BEAT_SECONDS:
            return
        token = self._owner["token"]
        is_mine = self._write(holds=lambda there: there.get(_BEGUN, {}).get("token") == token)
        if not is_mine:
            raise StorageError("TO is written by another copy, which took this one for dead.")
        self._written = time.monotonic()

    def is_there(self) -> bool:
        """Say whether the study still is this process's."""
        there = self._target.get_study_user_attrs(self._study_id).get(_BEGUN, {})
        return bool(there.get("token") == self._owner["token"])

    def _write(self, *, holds: Callable[[Mapping[str, Any]], bool]) -> bool:
        beat = self._target.seconds_by_its_clock()
        mark = {**self._owner, "beat": beat}
        return self._target.put_study_attributes(self._study_id, {_BEGUN: mark}, holds=holds)


def _is_at_it(target: EnduringStorage, begun: Mapping[str, Any]) -> bool:
    """Say whether whoever began a copy still does it.

    A process of another host or container is known by its beats alone.
    """
    if is_dead(begun):
        return False
    silent = target.seconds_by_its_clock() - float(begun.get("beat", 0.0))
    return silent <= target.endurance.grace_seconds


def _is_begun(target: EnduringStorage, there: Any) -> bool:
    """Say whether a copy of a study was cut off, at the latest before its study's attributes.

    One killed as soon as its study was made has not marked it yet, and nothing is in it.
    """
    if _BEGUN in there.user_attrs:
        return True
    is_bare = not (there.user_attrs or there.system_attrs)
    return is_bare and not target.get_all_trials(there._study_id, deepcopy=False)


def _ends(trials: Sequence[FrozenTrial]) -> dict[int, tuple[TrialState, float | None]]:
    """Give how each trial ended, by number."""
    return {t.number: (t.state, t.value) for t in trials if t.state.is_finished()}


def _remove(target: EnduringStorage, study_id: int) -> None:
    blobs = TableBlobs(target, study_id)
    keys = blobs.keys()
    for key in keys:
        blobs.delete(key)
    target.delete_study(study_id)


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
