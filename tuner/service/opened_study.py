"""A study opened by whoever starts it: its search in the storage, its results in their folder."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

from tuner.cores import cores
from tuner.errors import ConfigError
from tuner.persist import Cache, read_parts
from tuner.pipeline import Pipeline
from tuner.records import SearchParts
from tuner.search import BlobPlace, Search, StudyTerms, mask
from tuner.service.checkpoints import drop_checkpoints
from tuner.service.collect import read_findings, store_parts
from tuner.service.plan import StudyPlan
from tuner.service.results import Results
from tuner.service.shared_files import share_files
from tuner.service.shared_parts import parts_digest, share_parts
from tuner.service.versions import code_differences, code_identity, trial_versions
from tuner.service.weights import study_blobs

__all__ = ["open_results", "open_search"]

_log = logging.getLogger(__name__)


def open_search(plan: StudyPlan) -> Search:
    """Create or continue the study of a plan."""
    return Search(
        plan.settings,
        fingerprint=plan.sources.fingerprint,
        storage_url=plan.storage_url,
        study_name=plan.name,
    )


def open_results(plan: StudyPlan, search: Search, *, total: int, blobs: BlobPlace) -> Results:
    """Store the parts where they are new, open the study to workers, and give its results.

    Raises
    ------
    ConfigError
        If the study in the storage was made with other parts.
    """
    if plan.collected is not None:
        _refuse_other_parts(search, plan.collected.parts)
        store_parts(plan.folder, plan.collected, plan.settings)
    parts = read_parts(plan.folder)
    terms = _open_to_workers(search, parts, folder=plan.folder, total=total, blobs=blobs)
    cache = Cache(plan.output / "cache")
    return Results(
        plan.folder,
        study=plan.name,
        settings=plan.settings,
        parts=parts,
        findings=read_findings(plan.folder),
        storage=mask(plan.storage_url),
        pipeline=Pipeline(parts, cache, processes=cores(), checkpoints=search.checkpoints),
        read_trials=search.trials,
        blobs=study_blobs(search, terms, plan.folder),
    )


def _refuse_other_parts(search: Search, parts: SearchParts) -> None:
    """Keep one study from trials on two splits of the same rows."""
    terms = search.terms()
    if terms is None:
        return
    found = parts_digest(parts)
    if terms.parts_digest != found:
        raise ConfigError(
            f"--study-name {search.study_name!r} was made with another split of these rows: the "
            f"digest of its parts is {terms.parts_digest[:12]}…, that of these is {found[:12]}…."
        )


def _open_to_workers(
    search: Search, parts: SearchParts, *, folder: Path, total: int, blobs: BlobPlace
) -> StudyTerms:
    """Write down what workers go by; the place of the blobs stays as it was first chosen."""
    before, counts = search.terms(), search.counts()
    terms = StudyTerms(
        # Who asks for fewer than there are asks for no more: it has not too many.
        total=max(total, counts["finished"] + counts["running"]),
        blobs=blobs if before is None else before.blobs,
        parts_digest=parts_digest(parts),
        code=code_identity(),
        weights_kept=search.settings.workers.weights_kept,
        submitted=uuid.uuid4().hex,
    )
    if search.is_new:
        drop_checkpoints(study_blobs(search, terms, folder))
    if terms.blobs == "database":
        table = search.table_blobs()
        share_parts(parts, table)
        share_files(search.contents, table)
    if before is not None and counts["finished"]:
        found = code_differences(before.code)
        if found:
            _log.warning(
                "the trials so far are of other code: %s; scores of both may not compare",
                "; ".join(found),
            )
    search.about = trial_versions()
    search.n_classes = len(parts.classes)
    search.set_terms(terms)
    return terms
