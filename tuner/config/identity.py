"""What makes two sets of settings the same study."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tuner.config.settings import Settings

__all__ = ["canonical_json", "digest", "file_digest", "settings_digest", "settings_record"]

# Where a table lies says nothing about what is in it: its content has a fingerprint of its own.
_PATHS = ("path", "query", "validation", "test", "format", "sheet")


def canonical_json(value: Any) -> str:
    """Write a value as JSON with sorted keys and no blanks, the same on every machine."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(value: Any) -> str:
    """Give the SHA-256 of a value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Give the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settings_record(settings: Settings) -> dict[str, Any]:
    """Give the resolved settings as JSON-ready data, without paths, workers and execution.

    Returns
    -------
    dict
        What is written into the study and compared when it is continued.
    """
    record: dict[str, Any] = settings.model_dump(mode="json")
    for key in _PATHS:
        record["data"].pop(key)
    record.pop("workers")
    record.pop("execution")
    return record


def settings_digest(settings: Settings) -> str:
    """Give the digest that identifies the settings, paths and the study's own name apart."""
    record = settings_record(settings)
    record["study"].pop("name")
    return digest(record)
