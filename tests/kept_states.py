"""A checkpoint in memory, of the bytes that a real one stores."""

from __future__ import annotations

from dataclasses import replace

from tuner.persist import pack_arrays, unpack_arrays


class Kept:
    """Keeps the state after every epoch in `saved`; gives `state` to the trial that asks."""

    def __init__(self, state=None):
        self.state, self.saved = state, {}

    def load(self):
        return self.state

    def is_due(self):
        return True

    def save(self, state):
        arrays = unpack_arrays(pack_arrays(state.arrays))
        self.saved[state.epoch] = replace(state, arrays=arrays)
