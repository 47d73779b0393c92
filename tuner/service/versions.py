"""Versions of what a result depends on."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tuner
from tuner import __version__
from tuner.cores import cores, threads

__all__ = ["code_differences", "code_identity", "trial_versions", "versions"]

# What decides the numbers of a trial.
_DECISIVE = ("optuna", "tensorflow", "keras", "numpy", "jieba")

_PACKAGES = (
    "optuna",
    "tensorflow",
    "keras",
    "numpy",
    "scikit-learn",
    "jieba",
    "pandas",
    "sqlalchemy",
)


def versions() -> dict[str, str]:
    """Give package versions, the processor and the thread count, for the record."""
    found = {"tuner": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["machine"] = platform.machine()
    found["processor"] = _processor()
    found["cpus"] = str(cores())
    found["threads"] = str(threads())
    return found


@cache
def _processor() -> str:
    """Name the processor's model: a trial is bit for bit the same only on one and the same."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def code_identity() -> dict[str, str]:
    """Give what has to be the same wherever trials of one study run.

    `source` is a digest of this package's Python files, 12 hexadecimal digits.
    """
    found = versions()
    return {
        "tuner": found["tuner"],
        "source": _source_digest(),
        **{package: found[package] for package in _DECISIVE},
    }


def trial_versions() -> dict[str, str]:
    """Give what a trial notes of where it ran: `versions`, and the digest of the source."""
    return {**versions(), **code_identity()}


def code_differences(there: Mapping[str, str]) -> list[str]:
    """Name what of another `code_identity` is not so here."""
    here = code_identity()
    return [
        f"{part} is {there.get(part)} there, {here.get(part)} here"
        for part in sorted({*there, *here})
        if there.get(part) != here.get(part)
    ]


@cache
def _source_digest() -> str:
    root = Path(tuner.__file__).parent
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] != "_studies":
            whole.update(path.relative_to(root).as_posix().encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()[:12]
