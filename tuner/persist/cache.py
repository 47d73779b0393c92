"""What is costly to make and can be made again: kept once for all trials, processes and runs."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt
from filelock import FileLock, Timeout

from tuner.counters import CACHE_FOUND, CACHE_MADE, count
from tuner.errors import CheckpointError, StorageError
from tuner.persist.array_file import ArrayFileWriter, open_array_file
from tuner.persist.atomic import disk_errors, write_json

__all__ = ["LIMIT_BYTES", "Cache", "CacheEntry"]

_log = logging.getLogger(__name__)

LIMIT_BYTES = 20 * 10**9
"""Size a cache may have unless `Cache.set_limit` says otherwise."""

_DAMAGED = "cache: %s It is made anew."
_ENDING = ".arrays"
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One entry on disk; `last_used` is in seconds since the epoch."""

    stage: str
    key: str
    path: Path
    n_bytes: int
    last_used: float


class Cache:
    """A folder of arrays by stage and key, one file an entry.

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
        self._folder = folder
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
            is_checked = self._checked.get(path) == _state(path)
            arrays = open_array_file(path, is_checked=is_checked)
            with suppress(OSError):  # a read-only cache can be read all the same
                os.utime(path)
            self._checked[path] = _state(path)
        except FileNotFoundError:
            return None
        except CheckpointError as error:
            tell(error)
            return None
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror}.") from error
        return arrays

    def entries(self) -> list[CacheEntry]:
        """List the entries, the one used last first."""
        found = []
        for path in self._folder.glob(f"*/*{_ENDING}"):
            with suppress(FileNotFoundError):  # pruned meanwhile by another process
                about = path.stat()
                key = path.name.removesuffix(_ENDING)
                found.append(
                    CacheEntry(path.parent.name, key, path, about.st_size, about.st_mtime)
                )
        return sorted(found, key=lambda entry: (-entry.last_used, entry.stage, entry.key))

    def verify(self) -> list[CacheEntry]:
        """Read every entry whole, and give those whose checksum fails."""
        damaged = []
        for entry in self.entries():
            try:
                open_array_file(entry.path)
            except CheckpointError:
                damaged.append(entry)
            except FileNotFoundError:
                continue
        return damaged

    def prune(
        self, *, max_bytes: int | None = None, unused_seconds: float | None = None
    ) -> list[CacheEntry]:
        """Remove entries that were not used for long, then the longest unused above a size.

        What is open elsewhere stays readable there. Files that a killed process left half
        written go too.

        Parameters
        ----------
        max_bytes
            Size that may stay; None for any.
        unused_seconds
            Age since the last use from which an entry goes; None for any.

        Returns
        -------
        list of CacheEntry
            Those removed.
        """
        entries = self.entries()
        leaving = []
        if unused_seconds is not None:
            since = time.time() - unused_seconds
            leaving = [entry for entry in entries if entry.last_used <= since]
        if max_bytes is not None:
            kept = [entry for entry in entries if entry not in leaving]
            leaving += _above(kept, max_bytes)
        for entry in leaving:
            self.remove(entry)
        self._remove_leftovers()
        return leaving

    def remove(self, entry: CacheEntry) -> None:
        """Remove an entry if it is still there."""
        with disk_errors(entry.path):
            entry.path.unlink(missing_ok=True)
        # At worst a process that waits for this lock makes the entry beside another one.
        with suppress(OSError):
            self._lock_path(entry.stage, entry.key).unlink()

    @property
    def limit_bytes(self) -> int | None:
        """Size the cache may have; None for no limit."""
        try:
            limit = json.loads(self._limit_path.read_text(encoding="utf-8"))["limit_bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            return LIMIT_BYTES
        return limit if limit is None or isinstance(limit, int) else LIMIT_BYTES

    def set_limit(self, n_bytes: int | None) -> None:
        """Keep a limit in the folder, for every process that uses it from now on."""
        write_json(self._limit_path, {"limit_bytes": n_bytes})

    def _made(
        self, stage: str, key: str, make: Callable[[ArrayFileWriter], None]
    ) -> Mapping[str, npt.NDArray[Any]]:
        path = self._path(stage, key)
        with _whole_or_absent(path) as fresh, _opened_to_write(fresh) as file:
            writer = ArrayFileWriter(file, fresh)
            make(writer)
            writer.finish()
            arrays = open_array_file(fresh)  # before it has its name and can be pruned
        self.counts[stage, "made"] += 1
        count(CACHE_MADE, stage)
        self._keep_to_limit(path)
        return arrays

    def _keep_to_limit(self, newest: Path) -> None:
        """Remove the longest unused entries above the limit, never the newest itself."""
        limit = self.limit_bytes
        if limit is not None:
            entries = sorted(self.entries(), key=lambda entry: entry.path != newest)
            for entry in _above(entries, limit):
                if entry.path != newest:
                    self.remove(entry)

    def _remove_leftovers(self) -> None:
        """Remove half-written files whose writer holds its lock no more."""
        for path in self._folder.glob(f"*/.*{_ENDING}.*"):
            key = path.name[1:].split(_ENDING)[0]
            lock = FileLock(self._lock_path(path.parent.name, key))
            with suppress(OSError):  # `Timeout` is one: somebody is writing it
                lock.acquire(timeout=0)
                path.unlink(missing_ok=True)
                lock.release()

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

    def _path(self, stage: str, key: str) -> Path:
        return self._folder / stage / f"{key}{_ENDING}"

    def _lock_path(self, stage: str, key: str) -> Path:
        return self._folder / stage / f".{key}.lock"

    @property
    def _limit_path(self) -> Path:
        return self._folder / "limit.json"


def _state(path: Path) -> tuple[int, ...]:
    """Give what changes when a file is written, or used by another process."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _acquire(lock: FileLock, *, seconds: float) -> bool:
    with suppress(Timeout):
        lock.acquire(timeout=seconds)
    return lock.is_locked


def _above(entries: Sequence[CacheEntry], limit: int) -> list[CacheEntry]:
    """Give the entries with which, added up in this order, the limit is passed."""
    totals = accumulate(entry.n_bytes for entry in entries)
    return [entry for entry, total in zip(entries, totals, strict=True) if total > limit]


@contextmanager
def _opened_to_write(path: Path) -> Iterator[BinaryIO]:
    with disk_errors(path.parent):
        file = path.open("w+b")
    try:
        yield file
    finally:
        with disk_errors(path.parent):  # what is left in its buffer meets the full disk here
            file.close()


@contextmanager
def _whole_or_absent(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write, and put it in its place when that went well."""
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
