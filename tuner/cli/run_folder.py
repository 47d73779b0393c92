"""Find a study's run directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuner.config import did_you_mean
from tuner.errors import CheckpointError, ConfigError

__all__ = ["find_run", "read_best_params"]


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
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}.") from error
    return content
