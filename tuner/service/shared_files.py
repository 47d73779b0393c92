"""Word lists and vectors of a study, for workers that do not have them: from its database."""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from tuner.config import FILE_SETTINGS, file_digest
from tuner.errors import ConfigError, DataError
from tuner.persist import BlobStore, disk_errors, write_bytes

__all__ = ["find_files", "share_files"]

_log = logging.getLogger(__name__)

_LARGEST_BYTES = 256 * 2**20
"""PostgreSQL takes a gigabyte a row, and each side holds it in memory several times."""


def share_files(contents: Mapping[str, str], blobs: BlobStore) -> None:
    """Put the files of a study under their digests where workers find them.

    Parameters
    ----------
    contents
        Digest by name, see `tuner.config.file_digests`; what is no file is passed over.
    """
    for name, path, digest in _files(contents):
        if blobs.has(_key(digest)) or not path.is_file():
            continue
        if path.stat().st_size > _LARGEST_BYTES:
            _log.warning(
                "%s=%s is too large for the database: workers need it under the same path",
                name,
                path,
            )
            continue
        blobs.put(_key(digest), zlib.compress(path.read_bytes(), 1))


def find_files(contents: Mapping[str, str], *, folder: Path, blobs: BlobStore) -> dict[str, str]:
    """Bring the files of a study here that are not under their path.

    Parameters
    ----------
    contents
        As the study holds on to them.
    folder
        Where they are written.
    blobs
        Where `share_files` has put them, if it has.

    Returns
    -------
    dict
        The path here by the path that the settings name.

    Raises
    ------
    ConfigError
        If one is in neither place.
    DataError
        If the study's blobs have another content, or what the study says of a file is damaged.
    StorageError
        If the disk does not take it.
    """
    here = {}
    for name, path, digest in _files(contents):
        if path.is_file():
            continue
        local = folder / digest[:16] / path.name
        if not _is_whole(local, digest):
            content = blobs.get(_key(digest))
            if content is None:
                raise ConfigError(
                    f"{name}: no such file: {str(path)!r}, and the study's blobs have no copy."
                )
            with disk_errors(local):
                local.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(local, _unpacked(content, name, digest))
        here[str(path)] = str(local)
    return here


def _files(contents: Mapping[str, str]) -> list[tuple[str, Path, str]]:
    """Give name, path and digest of each file; they come out of the study's database."""
    named = [(*name.partition("=")[::2], digest) for name, digest in contents.items()]
    files = [(name, Path(path), digest) for name, path, digest in named if name in FILE_SETTINGS]
    for name, path, digest in files:
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or path.name in ("", ".."):
            raise DataError(
                f"{name}: must be held on to by a file's path and 64 hexadecimal digits, since "
                f"they name its copy; the storage has {str(path)!r} and {digest!r}."
            )
    return files


def _unpacked(content: bytes, name: str, digest: str) -> bytes:
    try:
        file = zlib.decompressobj().decompress(content, _LARGEST_BYTES)
    except zlib.error:
        file = b""
    if hashlib.sha256(file).hexdigest() != digest:
        raise DataError(f"{name}: the copy in the study's database is damaged.")
    return file


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path) == digest


def _key(digest: str) -> str:
    return f"file-{digest}"
