"""Files of a cloned repository whose content Git LFS has not brought yet."""

from __future__ import annotations

from pathlib import Path

from tuner.errors import ConfigError

__all__ = ["refuse_lfs_pointer"]

_BEGINNING = b"version https://git-lfs"


def _is_pointer(path: Path) -> bool:
    """Say whether a file only points to its content; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def refuse_lfs_pointer(path: Path) -> None:
    """Refuse a file that only points to its content.

    Raises
    ------
    ConfigError
        With the command that brings it.
    """
    if _is_pointer(path):
        raise ConfigError(
            f"model.checkpoint: {path} is a Git LFS pointer in place of the file itself; "
            f"`git lfs pull` in {path.parent} brings it."
        )
