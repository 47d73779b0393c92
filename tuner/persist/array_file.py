"""Named arrays in one file that is checked as a whole and read by memory map."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tuner.errors import CheckpointError
from tuner.persist.atomic import disk_errors

__all__ = ["ArrayFileWriter", "open_array_file"]

# digest of all that follows it, then place and size of the index; arrays from byte 64 on.
_HEAD = struct.Struct("<8s32sQQ")
_MAGIC = b"tunerA1\n"
_DIGESTED_FROM = 40
_ALIGNMENT = 64
_CHUNK_BYTES = 1 << 20


class ArrayFileWriter:
    """Writes arrays into an open file, each where a memory map may begin.

    Parameters
    ----------
    file
        Empty, opened with "w+b"; `path` is its name.

    Raises
    ------
    StorageError
        From every method, if the disk is full.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._index: dict[str, dict[str, Any]] = {}
        with self._disk_errors():
            file.write(bytes(_ALIGNMENT))

    @property
    def folder(self) -> Path:
        """Where the file lies; what is made beside it is on the same disk."""
        return self._path.parent

    def put(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write an array of numbers."""
        whole = np.ascontiguousarray(array)
        with self._disk_errors():
            self._begin(name, whole.dtype, whole.shape)
            self._file.write(whole.reshape(-1).view(np.uint8).data)

    def create(self, name: str, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Make an array of zeros on disk, which may be larger than memory, to be filled in pieces.

        Returns
        -------
        ndarray
            Memory-mapped and writable; what is assigned to it before `finish` is kept.
        """
        kind, extent = np.dtype(dtype), tuple(shape)
        with self._disk_errors():
            start = self._begin(name, kind, extent)
            # Written, not left as a hole: a disk that fills up later would kill the process by
            # SIGBUS, here it is an error.
            left = kind.itemsize * int(np.prod(extent, dtype=np.int64))
            while left:
                left -= self._file.write(bytes(min(left, _CHUNK_BYTES)))
            self._file.flush()
        return _mapped(self._path, "r+", kind, extent, start)

    def finish(self) -> None:
        """Write index and digest, and flush the whole file to disk."""
        index = json.dumps(self._index).encode()
        with self._disk_errors():
            place = self._file.tell()
            self._file.write(index)
            self._file.seek(0)
            self._file.write(_HEAD.pack(_MAGIC, bytes(32), place, len(index)))
            self._file.flush()
            self._file.seek(len(_MAGIC))
            self._file.write(_digest(self._path))
            self._file.flush()
            os.fsync(self._file.fileno())

    def _disk_errors(self) -> AbstractContextManager[None]:
        return disk_errors(self._path.parent)

    def _begin(self, name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> int:
        if dtype.hasobject:
            raise ValueError(f"{name}: objects cannot be memory-mapped")
        start = -(-self._file.tell() // _ALIGNMENT) * _ALIGNMENT
        self._file.write(bytes(start - self._file.tell()))
        self._index[name] = {"dtype": dtype.str, "shape": list(shape), "start": start}
        return start


def open_array_file(path: Path, *, is_checked: bool = False) -> dict[str, npt.NDArray[Any]]:
    """Open the arrays of a file, memory-mapped and read-only.

    Parameters
    ----------
    is_checked
        Whether the file is known to be whole, so that it need not be read for its checksum.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If a single bit of it is not what was written.
    """
    try:
        with path.open("rb") as file:
            magic, digest, place, n_bytes = _HEAD.unpack(file.read(_HEAD.size))
            if magic != _MAGIC:
                raise CheckpointError(f"{path}: is no file of arrays.")
            if not is_checked and _digest(path) != digest:
                raise CheckpointError(f"{path}: is damaged: its checksum fails.")
            file.seek(place)
            index = json.loads(file.read(n_bytes))
    except struct.error as error:
        raise CheckpointError(f"{path}: is damaged: it ends too early.") from error
    return {
        name: _mapped(path, "r", np.dtype(entry["dtype"]), tuple(entry["shape"]), entry["start"])
        for name, entry in index.items()
    }


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(_DIGESTED_FROM)
        return hashlib.file_digest(file, "sha256").digest()


def _mapped(
    path: Path, mode: Any, dtype: np.dtype[Any], shape: tuple[int, ...], start: int
) -> npt.NDArray[Any]:
    if 0 in shape:  # nothing cannot be mapped
        return np.zeros(shape, dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode=mode, offset=start, shape=shape))
