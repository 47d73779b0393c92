"""Register a study for workers, and return."""

from __future__ import annotations

from contextlib import closing

from tuner.persist import probe_folder
from tuner.search import BlobPlace, storage_errors
from tuner.service.opened_study import open_results, open_search
from tuner.service.plan import StudyPlan

__all__ = ["submit_study"]


def submit_study(plan: StudyPlan, *, total: int, blobs: BlobPlace) -> dict[str, int]:
    """Register a study for workers, its data split and sealed; give the counts of its trials."""
    probe_folder(plan.folder)
    with storage_errors(plan.storage_url), closing(open_search(plan)) as search:
        open_results(plan, search, total=total, blobs=blobs)
        return search.counts()
