"""States of running trials among a study's blobs."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import numpy as np

from tuner.errors import CheckpointError
from tuner.persist import BlobStore, pack_arrays, unpack_arrays
from tuner.records import TrialState

__all__ = ["CHECKPOINT", "BlobCheckpoint"]

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
"""What the keys of these blobs begin with."""

_ABOUT = "about"
_SHARE_MAX = 0.05  # of a trial's time that may go into saving


class BlobCheckpoint:
    """The states of one attempt at a trial, keyed by original trial and attempt.

    Two attempts never write under one key: a robbed worker that does not know it yet does no
    harm.

    Parameters
    ----------
    origin
        Number of the original trial.
    attempt
        Counted from 1; the states of those before it are read.
    every_seconds
        Work that may be lost. Saving after every epoch would cost a short trial more than it can
        save, so it is done when so much has been worked since the last time, and takes at most a
        twentieth of the time.
    """

    def __init__(
        self, blobs: BlobStore, *, origin: int, attempt: int, every_seconds: float
    ) -> None:
        self._blobs = blobs
        self._keys = [f"{CHECKPOINT}-{origin}-{number}" for number in range(1, attempt + 1)]
        self._every_seconds = every_seconds
        self._pause = every_seconds
        self._last = time.monotonic()

    def load(self) -> TrialState | None:
        """Give the newest whole state of the attempts so far."""
        for key in reversed(self._keys):
            content = self._blobs.get(key)
            if content is None:
                continue
            try:
                return _unpack(content)
            except (CheckpointError, ValueError, KeyError) as error:
                _log.warning("%s is damaged, an older state is taken: %s", key, error)
        return None

    def is_due(self) -> bool:
        """Say whether enough has been worked since the last time."""
        return time.monotonic() - self._last >= self._pause

    def save(self, state: TrialState) -> None:
        """Store a state in the place of this attempt's last one."""
        began = time.monotonic()
        self._blobs.put(self._keys[-1], _pack(state))
        self._last = time.monotonic()
        if self._every_seconds:
            cost = self._last - began
            self._pause = max(self._every_seconds, cost / _SHARE_MAX)

    def clear(self) -> None:
        """Remove the states of all attempts."""
        for key in self._keys:
            self._blobs.delete(key)


def _pack(state: TrialState) -> bytes:
    about = json.dumps({"epoch": state.epoch, "about": dict(state.about)})
    return pack_arrays({**state.arrays, _ABOUT: np.frombuffer(about.encode(), np.uint8)})


def _unpack(content: bytes) -> TrialState:
    arrays: dict[str, Any] = unpack_arrays(content)
    about = json.loads(arrays.pop(_ABOUT).tobytes())
    return TrialState(arrays, about["about"], int(about["epoch"]))
