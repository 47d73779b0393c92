"""The folder of a study: where it lies, its `study.toml`, and the files that this one names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tuner.config.named_files import NAMED, rewrite_paths
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = ["find_study", "read_study_file", "resolve_paths", "shipped_studies"]

_FILE = "study.toml"


def _shipped_root() -> Path:
    # In a wheel the studies lie inside the package, in a checkout beside it.
    package = Path(__file__).resolve().parent.parent
    installed = package / "_studies"
    return installed if installed.is_dir() else package.parent / "studies"


def shipped_studies() -> tuple[str, ...]:
    """Name the studies that come with the product."""
    return tuple(sorted(path.parent.name for path in _shipped_root().glob(f"*/{_FILE}")))


def find_study(study: str) -> Path:
    """Find the folder of a study, given as a folder, as its `study.toml`, or as a shipped name.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    path = Path(study)
    if path.name == _FILE and path.is_file():
        return path.parent
    if (path / _FILE).is_file():
        return path
    name = path.name
    if name in shipped_studies() and study in (name, f"studies/{name}", f"studies/{name}/"):
        return _shipped_root() / name
    raise ConfigError(
        f"--study must be a folder with a {_FILE} or a shipped name; got {study!r}."
        f"{did_you_mean(name, shipped_studies())}"
    )


def read_study_file(folder: Path) -> dict[str, Any]:
    """Read the `study.toml` of a study as it stands there.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no TOML.
    """
    path = folder / _FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} must be UTF-8; byte {error.start} is not.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def resolve_paths(tree: dict[str, Any], folder: Path) -> None:
    """Find the files that a study file names beside it, in place; `tree["space"]` is flat."""

    def beside(_: str, value: str) -> str:
        candidate = folder / value
        return str(candidate) if candidate.exists() else value

    rewrite_paths(tree, ("data.path", "data.validation", "data.test", *NAMED), beside)
