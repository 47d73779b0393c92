"""Files that belong to a study or a trial, kept in a folder."""

from __future__ import annotations

from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore

__all__ = ["artifact_store"]


def artifact_store(folder: Path) -> FileSystemArtifactStore:
    """Give Optuna's store of artifacts in a folder, one file an artifact under its identifier."""
    return FileSystemArtifactStore(folder)
