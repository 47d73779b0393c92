"""Write files so that a reader sees the old content or the new one, never half of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import StorageError

__all__ = [
    "disk_errors",
    "probe_folder",
    "replace_file",
    "replace_folder",
    "write_bytes",
    "write_json",
    "write_text",
]


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one clear line.

    Raises
    ------
    StorageError
        If the disk is full, or the path is read-only or not permitted.
    """
    try:
        yield
    except OSError as error:
        reason = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EROFS: "the file system is read-only",
            errno.EACCES: "permission denied",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{path}: cannot be written: {reason}.") from error


def probe_folder(path: Path) -> None:
    """Find out whether a folder can be written, or made; nothing is left behind.

    Raises
    ------
    StorageError
        See `disk_errors`.
    """
    with disk_errors(path):
        existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file through a temporary one beside it, flushed to disk, then renamed.

    `mode` is its permissions; the temporary file is for its owner alone.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text, see `write_bytes`."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented UTF-8 JSON; values that JSON lacks (NaN) are refused."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write, and put it in its place when that went well.

    Its name is that of `path` with a point before it and letters behind it: one that is left over
    was of a process that was killed.
    """
    with disk_errors(path.parent):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    fresh = path.with_name(Path(name).name)
    try:
        yield fresh
        with disk_errors(path):
            fresh.chmod(0o644)
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill, and put it in the place of `path` when that went well."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        old = fresh.with_name(f"{fresh.name}.old")
        try:
            yield fresh
            fresh.chmod(0o755)
            if path.exists():
                path.rename(old)
            fresh.rename(path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
