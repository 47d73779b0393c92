"""The weights of trials: stored before a trial is told, let go when they can no longer win."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tuner.persist import BlobStore, FolderBlobs, pack_arrays
from tuner.records import WEIGHTS_KEPT, TrialOutcome, TrialRecord
from tuner.search import Search, StudyTerms, best_trial, top_trials

__all__ = ["drop_weights", "keep_weights", "study_blobs"]


def study_blobs(search: Search, terms: StudyTerms, folder: Path) -> BlobStore:
    """Give the place where a study's blobs lie, by its terms."""
    if terms.blobs == "database":
        return search.table_blobs()
    return FolderBlobs(folder / "blobs")


def keep_weights(blobs: BlobStore, outcome: TrialOutcome) -> str:
    """Store a trial's weights under their digest, and give it."""
    content = pack_arrays(outcome.weights)
    key = hashlib.sha256(content).hexdigest()
    blobs.put(key, content)
    return key


def drop_weights(blobs: BlobStore, trials: Sequence[TrialRecord], direction: str) -> None:
    """Let go what can no longer win the confirmation, nor be compared with its winner."""
    best = best_trial(trials, direction)
    kept_trials = [
        *(trial for trial in trials if trial.origin == 0),
        *top_trials(trials, direction, WEIGHTS_KEPT),
        *([] if best is None else [best]),
    ]
    kept = {trial.attributes.get("weights") for trial in kept_trials}
    known = set(blobs.keys())
    for trial in trials:
        digest = trial.attributes.get("weights")
        # A running trial's weights lie here before it is told; they may yet win.
        if trial.state != "running" and digest in known and digest not in kept:
            blobs.delete(str(digest))
