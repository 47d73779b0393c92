"""The parts of a split on disk: three open ones, and the sealed test with its ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from tuner.errors import DataError
from tuner.persist.atomic import disk_errors, write_json, write_text
from tuner.records import Document, SearchParts

__all__ = [
    "SealedTest",
    "open_manifest",
    "read_documents_file",
    "read_parts",
    "write_documents_file",
    "write_parts",
]

MANIFEST = "manifest.json"
_OPEN_PARTS = ("train", "validation", "selection")


def write_documents_file(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as JSON lines."""
    write_text(
        path,
        "".join(
            json.dumps(
                {"text": d.text, "label": d.label, "source": d.source, "line": d.line},
                ensure_ascii=False,
            )
            + "\n"
            for d in documents
        ),
    )


def read_documents_file(path: Path) -> tuple[Document, ...]:
    """Read what `write_documents_file` wrote.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        # By "\n" alone: texts may hold other line separators.
        lines = path.read_text(encoding="utf-8").split("\n")
        return tuple(Document(**json.loads(line)) for line in lines if line)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        reason = str(error).rstrip(".")
        raise DataError(f"{path}: cannot be read as a part of a split: {reason}.") from error


def write_parts(
    folder: Path,
    parts: SearchParts,
    test: Iterable[Document],
    *,
    origin: Mapping[str, Any],
) -> None:
    """Write the open parts, the sealed test, and last the manifest that makes them valid."""
    for name in _OPEN_PARTS:
        write_documents_file(folder / "data" / f"{name}.jsonl", getattr(parts, name))
    write_documents_file(folder / "sealed" / "test.jsonl", test)
    manifest = {
        "schema": 1,
        "origin": dict(origin),
        "fingerprint": parts.fingerprint,
        "classes": list(parts.classes),
        "text_columns": list(parts.text_columns),
        "rows": {name: len(getattr(parts, name)) for name in _OPEN_PARTS} | {"test": parts.n_test},
    }
    write_json(folder / "data" / MANIFEST, manifest)


def open_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a folder of parts; None where there is none.

    Raises
    ------
    DataError
        If there is one that cannot be read or lacks what a manifest says.
    """
    path = folder / "data" / MANIFEST
    try:
        content = path.read_bytes()
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except (OSError, ValueError):  # ValueError: no path at all, such as one with a NUL
        return None
    try:
        value: dict[str, Any] = json.loads(content)
        _check_manifest(value)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise DataError(
            f"{path}: must be the manifest of a split as `tuner collect` writes it; {reason}."
        ) from error
    return value


def _check_manifest(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"it is no object but {type(value).__name__}")
    for key, kind in (("origin", dict), ("fingerprint", str), ("classes", list), ("rows", dict)):
        if not isinstance(value[key], kind):
            raise ValueError(f"its {key!r} must be {kind.__name__}, not {value[key]!r}")
    for name in (*_OPEN_PARTS, "test"):
        if type(value["rows"][name]) is not int:
            raise ValueError(f"its rows of {name} must be a count, not {value['rows'][name]!r}")


def read_parts(folder: Path) -> SearchParts:
    """Read the open parts.

    Raises
    ------
    DataError
        If there is no manifest, or a part does not have the rows it names.
    """
    manifest = open_manifest(folder)
    if manifest is None:
        raise DataError(f"{folder}: has no readable data/{MANIFEST}.")
    documents = {
        name: read_documents_file(folder / "data" / f"{name}.jsonl") for name in _OPEN_PARTS
    }
    for name, found in documents.items():
        if len(found) != manifest["rows"][name]:
            raise DataError(
                f"{folder}/data/{name}.jsonl: must have {manifest['rows'][name]} rows as the "
                f"manifest says; it has {len(found)}."
            )
    return SearchParts(
        **documents,
        classes=tuple(manifest["classes"]),
        fingerprint=manifest["fingerprint"],
        n_test=manifest["rows"]["test"],
        text_columns=tuple(manifest.get("text_columns", ())),
    )


class SealedTest:
    """The test part of a study, out of the search's reach, with a ledger of its readings.

    Parameters
    ----------
    folder
        The run directory; the part lies in `sealed/`.
    """

    def __init__(self, folder: Path) -> None:
        self._test = folder / "sealed" / "test.jsonl"
        self._ledger = folder / "sealed" / "ledger.jsonl"

    def entries(self) -> list[dict[str, Any]]:
        """Give the ledger, one row a reading."""
        try:
            lines = self._ledger.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in filter(None, lines):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            # A row torn by a crash: the reading it announced may have happened.
            entries.append(entry if _is_entry(entry) else {"damaged": line})
        return entries

    def check(self) -> None:
        """Raise `DataError` if the test part is not there, without reading it."""
        if not self._test.is_file():
            raise DataError(
                f"{self._test}: the sealed test part of this study is missing. Put it back, or "
                "begin another study with --study-name."
            )

    @property
    def reads(self) -> int:
        """Count of the readings."""
        return len(self.entries())

    def open(self, models: Mapping[str, str]) -> tuple[Document, ...]:
        """Read the test part, after the ledger says for which models.

        Parameters
        ----------
        models
            Name to digest of every model that is about to be measured, all in one opening. The
            same winner again is no new reading.
        """
        with disk_errors(self._ledger):
            self._ledger.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that finish one study at the same moment read it once.
            with FileLock(f"{self._ledger}.lock"):
                self._write_entry(models)
        return read_documents_file(self._test)

    def _is_torn(self) -> bool:
        """Say whether the last row has no end, so that another one would be lost in it."""
        content = self._ledger.read_bytes()
        return bool(content) and not content.endswith(b"\n")

    def _write_entry(self, models: Mapping[str, str]) -> None:
        known = any(
            entry.get("models", {}).get("winner") == models["winner"] for entry in self.entries()
        )
        if not known:
            row = {
                "read": self.reads + 1,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "models": dict(models),
            }
            with self._ledger.open("a", encoding="utf-8") as file:
                if self._is_torn():
                    file.write("\n")
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())


def _is_entry(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("models", {}), dict)
