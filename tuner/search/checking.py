"""Look a storage over for what must not be in it, and mend what can be mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuner.search.blob_table import TableBlobs, drop_orphans, has_blobs
from tuner.search.enduring import EnduringStorage
from tuner.search.freeze import freeze
from tuner.search.owner import is_dead
from tuner.search.ranking import default_trial, top_trials
from tuner.search.retries import retry_attributes
from tuner.search.storage import close_storage, open_storage
from tuner.search.terms import StudyTerms, parts_key, read_terms
from tuner.search.transactions import Beat
from tuner.wording import times

__all__ = ["Flaw", "check_storage"]

HasBlob = Callable[[str, str], bool]
_BEGIN_AGAIN = "restore the database from a backup, or begin the study under another --study-name"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong.

    `kind` is "orphan", "duplicate", "total", "terms" or "blob"; `study` its name, "" for the
    storage itself; `remedy` what its user can do; `is_mended` says whether it is put right now.
    """

    kind: str
    study: str
    message: str
    remedy: str
    is_mended: bool = False


def check_storage(storage_url: str, *, fix: bool, has_blob: HasBlob) -> list[Flaw]:
    """Look over all studies of a storage.

    Parameters
    ----------
    fix
        Mend what can be: queue orphaned trials again, remove blobs that belong to no study.
    has_blob
        Says whether the run directory of a study (first) has a blob (second).

    Raises
    ------
    StorageError
        If the schema is not that of this version of Optuna.
    """
    storage = open_storage(storage_url, create=False)
    if fix:
        close_storage(storage)
        storage = open_storage(storage_url, create=True)
    try:
        flaws = [
            flaw
            for study in storage.get_all_studies()
            for flaw in _check_study(storage, study, fix=fix, has_blob=has_blob)
        ]
        return flaws + _check_blobs(storage, fix=fix)
    finally:
        close_storage(storage)


def _check_study(
    storage: EnduringStorage, study: Any, *, fix: bool, has_blob: HasBlob
) -> list[Flaw]:
    name = study.study_name
    terms = read_terms(study.user_attrs)
    trials = storage.get_all_trials(study._study_id, deepcopy=False)
    flaws = [
        _orphan(storage, study, beat, fix=fix)
        for beat in storage.beats(study._study_id)
        if is_dead(beat.owner) or beat.age_seconds > storage.endurance.grace_seconds
    ]
    if "settings_digest" not in study.user_attrs:
        flaws.append(
            Flaw(
                "terms",
                name,
                "was not made by tuner, or cut off before its settings",
                "what began it, `tuner optimize`, `submit` or `storage copy`, makes it whole when "
                "run again; a study of another program can stay",
            )
        )
    flaws += _check_numbers(name, trials, terms)
    is_whole: Callable[[str], bool] = partial(has_blob, name)
    is_there = is_whole
    if terms is not None and terms.blobs == "database":
        is_whole = is_there = _never
        if has_blobs(storage):
            blobs = TableBlobs(storage, study._study_id)
            is_whole, is_there = partial(_is_whole, blobs), blobs.has
        if not is_whole(parts_key(terms.parts_digest)):
            message = "the data for its workers are missing or damaged"
            remedy = (
                "`tuner submit` or `tuner optimize`, where it was begun, puts them there again"
            )
            flaws.append(Flaw("blob", name, message, remedy))
    direction = study.directions[0].name.lower()
    return flaws + _missing_weights(name, trials, terms, direction, is_whole, is_there)


def _never(_: str) -> bool:
    return False


def _is_whole(blobs: TableBlobs, key: str) -> bool:
    return blobs.get(key) is not None


def _missing_weights(
    name: str,
    trials: Sequence[FrozenTrial],
    terms: StudyTerms | None,
    direction: str,
    is_whole: Callable[[str], bool],
    is_there: Callable[[str], bool],
) -> list[Flaw]:
    """Look for the weights that the end of the study asks for: of the best trials, and trial 0.

    Those of the best one are read; the others', which may lie far away, are only looked for.
    """
    records = [freeze(trial) for trial in trials]
    best = top_trials(records, direction, terms.weights_kept if terms is not None else 1)
    default = default_trial(records)
    looked_for = {record.number: record for record in (*best, default) if record is not None}
    remedy = (
        _BEGIN_AGAIN
        if terms is not None and terms.blobs == "database"
        else "give the --output that the study was begun with; if they are not there either, "
        "bring its run directory back from a backup, or begin the study under another --study-name"
    )
    flaws = []
    for number, record in looked_for.items():
        digest = record.attributes.get("weights")
        is_best = bool(best) and number == best[0].number
        if digest is not None and not (is_whole if is_best else is_there)(digest):
            which = "best trial" if is_best else "trial"
            message = f"the weights of its {which} {number} are missing or damaged"
            flaws.append(Flaw("blob", name, message, remedy))
    return flaws


def _orphan(storage: EnduringStorage, study: Any, beat: Beat, *, fix: bool) -> Flaw:
    message = f"trial {beat.number} is running, but its worker is gone"
    if fix:
        storage.close_trial(
            study._study_id,
            beat.trial_id,
            reason="interrupted: its worker was gone",
            retry=retry_attributes(beat.number, beat.attributes, is_lost=True),
        )
    remedy = "--fix queues it again, as the study's next worker does"
    return Flaw("orphan", study.study_name, message, remedy, is_mended=fix)


def _check_numbers(
    name: str, trials: Sequence[FrozenTrial], terms: StudyTerms | None
) -> list[Flaw]:
    flaws = []
    finished = [trial for trial in trials if trial.state in _FINISHED]
    numbers = Counter(trial.number for trial in trials)
    for number in sorted(n for n, count in numbers.items() if count > 1):
        message = f"{numbers[number]} trials have the number {number}"
        flaws.append(Flaw("duplicate", name, message, _BEGIN_AGAIN))
    origins = Counter(trial.user_attrs.get("origin", trial.number) for trial in finished)
    for origin in sorted(n for n, count in origins.items() if count > 1):
        message = f"trial {origin} was finished {times(origins[origin])}"
        remedy = (
            "its results are sound but count each; give the study so many more --trials, if "
            "others shall stand in their place"
        )
        flaws.append(Flaw("duplicate", name, message, remedy))
    if terms is not None and len(finished) > terms.total:
        message = f"{len(finished)} trials are finished, more than the {terms.total} asked for"
        remedy = (
            f"all of them count; `tuner optimize` or `submit` with --trials {len(finished)} makes "
            "that the total"
        )
        flaws.append(Flaw("total", name, message, remedy))
    return flaws


def _check_blobs(storage: EnduringStorage, *, fix: bool) -> list[Flaw]:
    if not has_blobs(storage):
        return []
    n_orphans = drop_orphans(storage, fix=fix)
    if not n_orphans:
        return []
    message = f"{n_orphans} blobs belong to no study"
    return [Flaw("blob", "", message, "--fix removes them", is_mended=fix)]
