"""States of running trials among a study's blobs."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.errors import CheckpointError
from tuner.persist import BlobStore, pack_arrays, unpack_arrays
from tuner.records import TrialState

__all__ = ["CHECKPOINT", "BlobCheckpoint", "SaveCost", "drop_checkpoints", "origin_of"]

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"
"""What the keys of these blobs begin with."""

_ABOUT = "about"
_CHEAP = 0.02  # of an epoch's time: a state that is stored faster is stored after every epoch
_SHARE_MAX = 0.05  # of a trial's time that may go into storing any others


def origin_of(key: str) -> int | None:
    """Give the original trial whose state lies under a key; None where none does.

    >>> origin_of("checkpoint-12-1"), origin_of("parts-0f")
    (12, None)
    """
    name, _, rest = key.partition("-")
    return int(rest.partition("-")[0]) if name == CHECKPOINT else None


def drop_checkpoints(blobs: BlobStore) -> None:
    """Let go all states, which a study that is new has from a deleted one of its name."""
    for key in list(blobs.keys()):
        if origin_of(key) is not None:
            blobs.delete(key)


@dataclass(slots=True)
class SaveCost:
    """Seconds that the last state took to be stored; None before the first."""

    seconds: float | None = None


class BlobCheckpoint:
    """The states of one attempt at a trial, keyed by original trial and attempt.

    Two attempts never write under one key: a robbed worker that does not know it yet does no
    harm. A state bears the identity of its trial, and one of another trial is passed over: a
    study that was deleted may have left it under the same number.

    Parameters
    ----------
    origin
        Number of the original trial.
    attempt
        Counted from 1; the states of those before it are read.
    identity
        Of the trial: its study, settings, parameters and seeds.
    every_seconds
        Work that may be lost where storing a state takes more than 2 % of an epoch's time: it is
        then stored when so much has been worked since the last one, and for at most a twentieth
        of the time. Elsewhere it is stored after every epoch.
    cost
        What storing took last, in this trial or an earlier one of the process.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        origin: int,
        attempt: int,
        identity: str,
        every_seconds: float,
        cost: SaveCost,
    ) -> None:
        self._blobs = blobs
        self._keys = [f"{CHECKPOINT}-{origin}-{number}" for number in range(1, attempt + 1)]
        self._identity = identity
        self._every_seconds = every_seconds
        self._cost = cost
        self._saved = self._asked = time.monotonic()

    def load(self) -> TrialState | None:
        """Give the newest whole state of the attempts at this trial so far."""
        for key in reversed(self._keys):
            content = self._blobs.get(key)
            if content is None:
                continue
            try:
                identity, state = _unpack(content)
            except (CheckpointError, ValueError, KeyError) as error:
                _log.warning("%s is damaged, an older state is taken: %s", key, error)
                continue
            if identity == self._identity:
                return state
            _log.warning("%s is the state of another trial, and is left alone", key)
        return None

    def is_due(self) -> bool:
        """Say whether to store a state now; asked once after every epoch."""
        now = time.monotonic()
        epoch_seconds, self._asked = now - self._asked, now
        cost = self._cost.seconds
        if cost is None or cost <= _CHEAP * epoch_seconds or not self._every_seconds:
            return True
        return now - self._saved >= max(self._every_seconds, cost / _SHARE_MAX)

    def save(self, state: TrialState) -> None:
        """Store a state in the place of this attempt's last one."""
        self._blobs.put(self._keys[-1], _pack(state, self._identity))
        now = time.monotonic()
        # From the question on: the state was copied out of the program in between.
        self._cost.seconds = now - self._asked
        self._saved = self._asked = now

    def clear(self) -> None:
        """Remove the states of all attempts."""
        for key in self._keys:
            self._blobs.delete(key)


def _pack(state: TrialState, identity: str) -> bytes:
    about = json.dumps({"of": identity, "epoch": state.epoch, "about": dict(state.about)})
    return pack_arrays({**state.arrays, _ABOUT: np.frombuffer(about.encode(), np.uint8)})


def _unpack(content: bytes) -> tuple[str, TrialState]:
    """Give the trial's identity, and its state."""
    arrays: dict[str, Any] = unpack_arrays(content)
    about = json.loads(arrays.pop(_ABOUT).tobytes())
    state = TrialState(arrays, about["about"], int(about["epoch"]))
    return about.get("of", ""), state
