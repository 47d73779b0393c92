"""Bytes under a key: weights and caches; a folder now, other stores later."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from tuner.errors import DataError
from tuner.persist.atomic import disk_errors, write_bytes

__all__ = ["BlobStore", "FolderBlobs"]

_CHECKSUM_BYTES = 32


class BlobStore(Protocol):
    """Whole blobs or none: a get returns what a put has finished."""

    def put(self, key: str, content: bytes) -> None:
        """Store a blob; an existing one is replaced."""

    def get(self, key: str) -> bytes | None:
        """Read a blob; None where there is none or it is damaged."""

    def has(self, key: str) -> bool:
        """Say whether there is a blob, whole or damaged, without reading it."""

    def delete(self, key: str) -> None:
        """Remove a blob if it is there."""

    def keys(self) -> list[str]:
        """Give the keys there are."""


class FolderBlobs:
    """One file a key: a SHA-256 of the content, then the content.

    A file that was damaged on disk fails its checksum and counts as absent, so that it is made
    anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: bytes) -> None:
        """Store a blob through a temporary file and a rename."""
        write_bytes(self._path(key), hashlib.sha256(content).digest() + content)

    def get(self, key: str) -> bytes | None:
        """Read a blob; None where there is none or its checksum fails."""
        try:
            stored = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        content = stored[_CHECKSUM_BYTES:]
        if hashlib.sha256(content).digest() != stored[:_CHECKSUM_BYTES]:
            return None
        return content

    def has(self, key: str) -> bool:
        """Say whether there is a blob, whole or damaged, without reading it."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove a blob if it is there."""
        with disk_errors(self._path(key)):
            self._path(key).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """Give the keys there are, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.blob"))

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the key's lock; other processes wait."""
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f".{key}.lock"):
            yield

    def _path(self, key: str) -> Path:
        # Keys come out of the study's database: none leads out of the folder.
        if not re.fullmatch(r"[\w\-]+", key):
            raise DataError(f"{self._folder}: a blob has letters, digits, '_', '-'; got {key!r}.")
        return self._folder / f"{key}.blob"
