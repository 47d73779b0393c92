"""The best-params JSON: the result of a study in one file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tuner.config import Settings, settings_record
from tuner.records import SearchParts, TrialRecord

__all__ = ["SCHEMA", "best_params", "data_summary"]

SCHEMA = 1
_NOT_READ: dict[str, Any] = {"accuracy": None, "macro_f1": None}


def data_summary(parts: SearchParts) -> dict[str, Any]:
    """Give fingerprint, rows per part and class names."""
    return {
        "fingerprint": parts.fingerprint,
        "train": len(parts.train),
        "validation": len(parts.validation),
        "selection": len(parts.selection),
        "test": parts.n_test,
        "classes": list(parts.classes),
    }


def best_params(
    *,
    study: str,
    settings: Settings,
    best: TrialRecord,
    params: Mapping[str, Any],
    unused: Collection[str],
    counts: Mapping[str, int],
    parts: SearchParts,
    versions: Mapping[str, str],
    test: Mapping[str, Any] | None,
    reads: int,
    baselines: Mapping[str, Any],
    outcome: str,
    verdict: Mapping[str, Any] | None = None,
    confirmation: Mapping[str, Any] | None = None,
    search_best: TrialRecord | None = None,
) -> dict[str, Any]:
    """Put the file's content together.

    Parameters
    ----------
    params
        Of the best trial, with the fixed value of the main parameters that were not searched.
    unused
        Names of settings that have no meaning for the best trial's backbone, which is one of
        several that were searched.
    test
        Scores on the sealed test; None while the search runs, before the one reading.
    reads
        Readings of the sealed test so far, from its ledger.
    outcome
        "running", "complete", "timeout", "budget", "flat", "exhausted" or "interrupted".
    verdict
        The judgement of the sealed test; None before it was read.
    confirmation
        Scores on fresh seeds; None where there was none.
    search_best
        Best trial of the search, before the confirmation; None for `best` itself.
    """
    found = best if search_best is None else search_best
    return {
        "schema": SCHEMA,
        "study": study,
        "outcome": outcome,
        "trial": best.number,
        "objective": {
            "metric": settings.study.metric,
            "direction": settings.direction,
            "value": best.value,
        },
        "params": dict(params),
        "unused_params": [name for name in params if name in unused],
        "search_best": {"trial": found.number, "value": found.value},
        "confirmation": None if confirmation is None else dict(confirmation),
        "verdict": None if verdict is None else dict(verdict),
        "best_epoch": best.attributes.get("best_epoch"),
        "validation": best.attributes.get("validation"),
        "selection": best.attributes.get("selection"),
        "test": {**(_NOT_READ if test is None else test), "n": parts.n_test, "reads": reads},
        "baselines": dict(baselines),
        "trials": {name: counts[name] for name in ("complete", "pruned", "failed", "retried")},
        "data": data_summary(parts),
        "seed": settings.study.seed,
        "versions": dict(versions),
        "config": settings_record(settings),
    }
