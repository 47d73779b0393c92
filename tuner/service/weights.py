"""What trials leave among a study's blobs: stored before they are told, let go in time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tuner.persist import BlobStore, FolderBlobs, pack_arrays
from tuner.records import TrialOutcome, TrialRecord
from tuner.search import Search, StudyTerms, top_trials
from tuner.service.checkpoints import BlobCheckpoint, SaveCost, origin_of

__all__ = ["CHECKPOINT_SECONDS", "BlobTrials", "study_blobs"]

CHECKPOINT_SECONDS = 10.0


def study_blobs(search: Search, terms: StudyTerms, folder: Path) -> BlobStore:
    """Give the place where a study's blobs lie, by its terms."""
    if terms.blobs == "database":
        return search.table_blobs()
    return FolderBlobs(folder / "blobs")


class BlobTrials:
    """Weights and states of a study's trials among its blobs.

    Parameters
    ----------
    n_kept
        Best trials whose weights are kept; may be set anew while the study runs.
    checkpoint_seconds
        Work of a trial that may be lost, see `BlobCheckpoint`.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        n_kept: int,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self._blobs = blobs
        self.n_kept = n_kept
        self._checkpoint_seconds = checkpoint_seconds
        self._save_cost = SaveCost()

    def keep_weights(self, outcome: TrialOutcome, *, n_better: int) -> str:
        """Give the digest of a trial's weights, under which they lie if they can still win."""
        content = pack_arrays(outcome.weights)
        key = hashlib.sha256(content).hexdigest()
        if n_better < self.n_kept:
            self._blobs.put(key, content)
        return key

    def checkpoint(self, origin: int, attempt: int, identity: str) -> BlobCheckpoint:
        """Give the states of one attempt at a trial."""
        return BlobCheckpoint(
            self._blobs,
            origin=origin,
            attempt=attempt,
            identity=identity,
            every_seconds=self._checkpoint_seconds,
            cost=self._save_cost,
        )

    def drop_weights(self, trials: Sequence[TrialRecord], direction: str) -> None:
        """Let go what can no longer win the confirmation, nor be compared with its winner.

        The weights of the `n_kept` best trials, of trial 0 and of running trials stay. States of
        finished trials go, which a worker that was killed or robbed has left.
        """
        kept_trials = [
            *(trial for trial in trials if trial.origin == 0),
            *top_trials(trials, direction, self.n_kept),
        ]
        kept = {trial.attributes.get("weights") for trial in kept_trials}
        known = set(self._blobs.keys())
        for trial in trials:
            digest = trial.attributes.get("weights")
            # A running trial's weights lie here before it is told; they may yet win.
            if trial.state != "running" and digest in known and digest not in kept:
                self._blobs.delete(str(digest))
        finished = {trial.origin for trial in trials if trial.state in ("complete", "pruned")}
        for key in known:
            if origin_of(key) in finished:
                self._blobs.delete(key)
