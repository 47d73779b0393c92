"""Versions of what a result depends on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from tuner import __version__

__all__ = ["versions"]

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
    found["cpus"] = str(os.cpu_count())
    return found
