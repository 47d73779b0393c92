"""Find a study's run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.config import did_you_mean
from tuner.errors import CheckpointError, ConfigError

__all__ = ["find_run", "read_best_params"]

# What is shown of a best-params JSON; there is more in it.
_NEEDED: Mapping[str, Any] = {
    "study": str,
    "outcome": str,
    "trial": int,
    "objective": {"metric": str, "value": int | float},
    "params": {},
    "data": {"selection": int},
    "test": {"macro_f1": int | float | None},
    "baselines": {},
}


def find_run(output: Path, study_name: str | None) -> Path:
    """Give the folder of a study, or of the one that was improved last.

    Raises
    ------
    ConfigError
        If there is none.
    """
    runs = {path.parent.name: path for path in output.glob("*/best_params.json")}
    if study_name is not None:
        if study_name not in runs:
            raise ConfigError(
                f"--study-name {study_name!r} has no results in {output}."
                f"{did_you_mean(study_name, runs)}"
            )
        return runs[study_name].parent
    if not runs:
        raise ConfigError(f"--output {output} holds no results yet; run `tuner optimize` first.")
    return max(runs.values(), key=lambda path: path.stat().st_mtime).parent


def read_best_params(folder: Path) -> dict[str, Any]:
    """Read a run's best-params JSON.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    path = folder / "best_params.json"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: must hold a JSON object, as `tuner optimize` writes it; "
            f"got {type(content).__name__}."
        )
    missing = [key for key in _keys(_NEEDED) if not _has(content, key)]
    if missing:
        raise CheckpointError(
            f"{path}: must hold {missing[0]}, as `tuner optimize` writes it; it is not there, or "
            "of another kind."
        )
    return content


def _keys(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, wanted in tree.items():
        keys.append(f"{prefix}{name}")
        if isinstance(wanted, Mapping):
            keys += _keys(wanted, f"{prefix}{name}.")
    return keys


def _has(content: Any, key: str) -> bool:
    """Say whether a dotted key is there, with a value of the kind that is needed."""
    wanted: Any = _NEEDED
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content, wanted = content[part], wanted[part]
    return isinstance(content, dict if isinstance(wanted, Mapping) else wanted)
