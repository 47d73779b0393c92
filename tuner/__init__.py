"""Hyperparameter search for fine-tuning text classifiers, with an honest number at the end.

Public names are loaded on first use, so that ``import tuner`` stays instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Settings": "tuner.config",
    "load_settings": "tuner.config",
    "load_model": "tuner.pipeline",
    "run_study": "tuner.service",
}

__all__ = ["Settings", "__version__", "load_model", "load_settings", "run_study"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tuner' has no attribute {name!r}")
