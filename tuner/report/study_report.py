"""The content of `report.json`: what lies behind the headline number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["study_report"]

SCHEMA = 1
_FROM_BEST_PARAMS = (
    "study",
    "outcome",
    "trial",
    "objective",
    "verdict",
    "confirmation",
    "trials",
    "data",
    "seed",
    "versions",
)


def study_report(
    *,
    content: Mapping[str, Any],
    slices: Mapping[str, Mapping[str, Any]],
    calibration: Mapping[str, Any] | None,
    importances: Mapping[str, Any] | None,
    edges: Sequence[Mapping[str, Any]] = (),
    label_noise: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put the content of `report.json` together.

    Parameters
    ----------
    content
        Of `best_params.json`.
    slices
        By part ("selection"; "test" once it was opened): `tuner.evaluation.slice_report`.
    calibration
        `tuner.evaluation.calibration_report`; None where it was not measured.
    importances
        `tuner.search.parameter_importances`; None where they were not estimated.
    edges
        `as_json()` of each of `tuner.search.edge_warnings`.
    label_noise
        `tuner.service.label_suspects.LabelSuspects.as_json()`; None where nobody looked.

    Returns
    -------
    dict, JSON-ready
        ``schema``
            1.
        ``study``, ``outcome``, ``trial``, ``objective``, ``verdict``, ``confirmation``,
        ``trials``, ``data``, ``seed``, ``versions``
            As in `best_params.json`; None where that has none.
        ``test_reads``
            Readings of the sealed test, from its ledger.
        ``slices``
            Part to `n`, `accuracy`, `by_class`, `by_length`, `by_confidence`, `coverage`,
            `confusion`, `worst_errors`.
        ``calibration``
            `temperature`, `at_bound`, `n_validation`, `parts`.
        ``importances``
            `method`, `n_trials`, `top_trials`, `n_resamples`, `parameters`, `chance`,
            `reason`, `notes`.
        ``edges``
            List of `name`, `value`, `low`, `high`, `side`, `sentence`.
        ``label_noise``
            `n`, `n_judged`, `share`, `file` with all of them, and the surest as `rows`: `file`,
            `line`, `given_label`, `suggested_label`, `self_confidence`, `text`.

        Numbers that are not finite become None. Texts of the user are raw, for whoever shows
        them to escape.
    """
    report = {
        "schema": SCHEMA,
        **{name: content.get(name) for name in _FROM_BEST_PARAMS},
        "test_reads": content["test"]["reads"],
        "slices": slices,
        "calibration": calibration,
        "importances": importances,
        "edges": edges,
        "label_noise": label_noise,
    }
    return {name: _plain(value) for name, value in report.items()}


def _plain(value: Any) -> Any:
    """Copy a tree so that it survives JSON: no tuple, no NaN, names as strings."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
