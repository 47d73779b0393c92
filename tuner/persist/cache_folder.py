"""The cache on the disk: what lies in its folder, how large it may get, and what leaves it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from stat import S_ISREG

from filelock import FileLock

from tuner.errors import CheckpointError, StorageError
from tuner.persist.array_file import open_array_file
from tuner.persist.atomic import disk_errors, write_json

__all__ = ["LIMIT_BYTES", "CacheEntry", "CacheFolder"]

LIMIT_BYTES = 20 * 10**9
"""Size a cache may have unless `CacheFolder.set_limit` says otherwise."""

_ENDING = ".arrays"
_USED = ".used"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One entry on disk; `last_used` is in seconds since the epoch, when made or opened."""

    stage: str
    key: str
    path: Path
    n_bytes: int
    last_used: float


class CacheFolder:
    """Entries by stage and key, one file each, beside their locks and the folder's limit.

    Parameters
    ----------
    folder
        Need not be there: it has no entries then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> list[CacheEntry]:
        """List the entries, the one used last first."""
        found = []
        for path in self._folder.glob(f"*/*{_ENDING}"):
            with suppress(FileNotFoundError):  # pruned meanwhile by another process
                about = path.stat()
                if not S_ISREG(about.st_mode):
                    continue  # nothing of ours
                key = path.name.removesuffix(_ENDING)
                used = max(about.st_mtime, _modified(_use_path(path)))
                found.append(CacheEntry(path.parent.name, key, path, about.st_size, used))
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
            except OSError as error:
                raise StorageError(f"{entry.path}: cannot be read: {error.strerror}.") from error
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
        for beside in (_use_path(entry.path), self._lock_path(entry.stage, entry.key)):
            with suppress(OSError):
                beside.unlink()

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

    def _keep_to_limit(self, newest: Path) -> None:
        """Remove the longest unused entries above the limit, never the newest itself."""
        limit = self.limit_bytes
        if limit is not None:
            entries = sorted(self.entries(), key=lambda entry: entry.path != newest)
            for entry in _above(entries, limit):
                if entry.path != newest:
                    self.remove(entry)

    @staticmethod
    def _note_use(path: Path) -> None:
        """Note that an entry is used now, beside it: its own time says when it was written."""
        with suppress(OSError):  # a read-only cache can be read all the same
            _use_path(path).touch()

    def _remove_leftovers(self) -> None:
        """Remove half-written files whose writer holds its lock no more, and uses of no entry."""
        for path in self._folder.glob(f"*/.*{_USED}"):
            if not path.with_name(path.name[1:].removesuffix(_USED) + _ENDING).exists():
                with suppress(OSError):
                    path.unlink()
        for path in self._folder.glob(f"*/.*{_ENDING}.*"):
            key = path.name[1:].split(_ENDING)[0]
            lock = FileLock(self._lock_path(path.parent.name, key))
            with suppress(OSError):  # `Timeout` is one: somebody is writing it
                lock.acquire(timeout=0)
                path.unlink(missing_ok=True)
                lock.release()

    def _path(self, stage: str, key: str) -> Path:
        return self._folder / stage / f"{key}{_ENDING}"

    def _lock_path(self, stage: str, key: str) -> Path:
        return self._folder / stage / f".{key}.lock"

    @property
    def _limit_path(self) -> Path:
        return self._folder / "limit.json"


def _use_path(path: Path) -> Path:
    return path.with_name(f".{path.name.removesuffix(_ENDING)}{_USED}")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # made, and not opened yet
        return 0.0


def _above(entries: Sequence[CacheEntry], limit: int) -> list[CacheEntry]:
    """Give the entries with which, added up in this order, the limit is passed."""
    totals = accumulate(entry.n_bytes for entry in entries)
    return [entry for entry, total in zip(entries, totals, strict=True) if total > limit]
