"""What is costly to make and can be made again: kept once for all trials, processes and runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt
from filelock import FileLock, Timeout

from tuner.counters import CACHE_FOUND, CACHE_MADE, count
from tuner.errors import CheckpointError, StorageError
from tuner.persist.array_file import ArrayFileWriter, open_array_file
from tuner.persist.atomic import disk_errors, replace_file
from tuner.persist.cache_folder import CacheFolder

__all__ = ["Cache"]

_log = logging.getLogger(__name__)

_DAMAGED = "cache: %s It is made anew."
_WAIT_SECONDS = 0.5


class Cache(CacheFolder):
    """Arrays by stage and key, read from their folder or made and kept there.

    A key says all that the content depends on, so an entry is never wrong, only there or not.
    Readers map the file into memory. An entry that was damaged is found by its checksum, told in
    a log line and made anew; one that was half written when its process died has never had its
    name.

    Parameters
    ----------
    folder
        Made when the first entry is.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often this object found ("found") or made ("made") an entry, by (stage, which)."""
        self._checked: dict[Path, tuple[int, ...]] = {}  # read whole by this process, as it was

    def obtain(
        self,
        stage: str,
        key: str,
        make: Callable[[ArrayFileWriter], None],
        *,
        stop_requested: Callable[[], None] = lambda: None,
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Open an entry, made first where there is none.

        Of several processes that ask at once one makes it, and the others wait and read.

        Parameters
        ----------
        stage
            Name of the stage, part of a file name.
        key
            Digest of all that the content depends on, part of a file name.
        make
            Writes the arrays; called under the entry's lock, so it may obtain entries of
            earlier stages, and must not ask for this one.
        stop_requested
            Called while another process is waited for; may raise.

        Returns
        -------
        mapping of str to ndarray
            Memory-mapped and read-only. They stay valid when the entry is pruned meanwhile.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        arrays = self._opened(stage, key)
        if arrays is None:
            with self._lock(stage, key, stop_requested):
                # Another process may have made it; only who holds the lock tells of damage.
                arrays = self.open(stage, key)
                if arrays is None:
                    return self._made(stage, key, make)
        self.counts[stage, "found"] += 1
        count(CACHE_FOUND, stage)
        return arrays

    def open(self, stage: str, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """Open an entry and note its use; None where there is none or it is damaged."""
        return self._opened(stage, key, tell=lambda error: _log.warning(_DAMAGED, error))

    def _opened(
        self, stage: str, key: str, *, tell: Callable[[CheckpointError], None] = lambda _: None
    ) -> Mapping[str, npt.NDArray[Any]] | None:
        path = self._path(stage, key)
        try:
            state = _state(path)
            arrays = open_array_file(path, is_checked=self._checked.get(path) == state)
            self._checked[path] = state
            self._note_use(path)
        except FileNotFoundError:
            return None
        except CheckpointError as error:
            tell(error)
            return None
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror}.") from error
        return arrays

    def _made(
        self, stage: str, key: str, make: Callable[[ArrayFileWriter], None]
    ) -> Mapping[str, npt.NDArray[Any]]:
        path = self._path(stage, key)
        with replace_file(path) as fresh, _opened_to_write(fresh) as file:
            writer = ArrayFileWriter(file, fresh)
            make(writer)
            writer.finish()
            arrays = open_array_file(fresh)  # before it has its name and can be pruned
            state = _state(fresh)
        self._checked[path] = state
        self.counts[stage, "made"] += 1
        count(CACHE_MADE, stage)
        self._keep_to_limit(path)
        return arrays

    @contextmanager
    def _lock(self, stage: str, key: str, stop_requested: Callable[[], None]) -> Iterator[None]:
        path = self._lock_path(stage, key)
        lock = FileLock(path)
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_waiting = not _acquire(lock, seconds=0)
        if is_waiting:
            _log.info("cache: another process is making the %s; waiting for it", stage)
        while not (lock.is_locked or _acquire(lock, seconds=_WAIT_SECONDS)):
            stop_requested()
        try:
            yield
        finally:
            lock.release()


def _state(path: Path) -> tuple[int, ...]:
    """Give what changes when a file is written or another one takes its place."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _acquire(lock: FileLock, *, seconds: float) -> bool:
    with suppress(Timeout):
        lock.acquire(timeout=seconds)
    return lock.is_locked


@contextmanager
def _opened_to_write(path: Path) -> Iterator[BinaryIO]:
    with disk_errors(path.parent):
        file = path.open("w+b")
    try:
        yield file
    finally:
        with disk_errors(path.parent):  # what is left in its buffer meets the full disk here
            file.close()
