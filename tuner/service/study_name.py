"""Which names a study may have: one names a folder beside the cache and the database."""

from __future__ import annotations

import re

from tuner.errors import ConfigError

__all__ = ["check_study_name"]

_BYTES_MAX = 200  # file systems allow 255, and temporary names are longer


def check_study_name(name: str) -> None:
    """Raise `ConfigError` unless the name can be a folder of its own in the output folder."""
    if not re.fullmatch(r"[\w\-.]{1,200}", name):
        raise ConfigError(
            "--study-name must be 1 to 200 letters, digits, '-', '_' or '.', since it names a "
            f"folder; got {_shown(name)}."
        )
    if not name.strip("."):
        raise ConfigError(
            "--study-name must be more than dots, since those name the output folder itself or "
            f"the one above it; got {name!r}."
        )
    if name.casefold() == "cache" or name.casefold().startswith("tuner.db"):
        raise ConfigError(
            "--study-name must not be 'cache' or begin with 'tuner.db', since the output folder "
            f"keeps its own files there; got {name!r}."
        )
    n_bytes = len(name.encode())
    if n_bytes > _BYTES_MAX:
        raise ConfigError(
            f"--study-name must have at most {_BYTES_MAX} bytes as UTF-8, since it names a "
            f"folder; got {n_bytes}: {_shown(name)}."
        )


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}…")
