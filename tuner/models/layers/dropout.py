"""Dropout whose rate is a tensor: one compiled program serves every rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tuner.sizes import few_sizes_up

__all__ = ["Dropout"]


@dataclass(frozen=True)
class Dropout:
    """What a forward pass may hide; `None` in place of it means prediction, nothing hidden.

    `units` and `tokens` are scalar float32 tensors in [0, 1), `seed` an int32 tensor (2,).
    Keras bakes the rate into the graph as a constant, hence our own.
    """

    units: Any
    tokens: Any
    seed: Any

    def hide_units(self, values: Any, *, salt: int) -> Any:
        """Hide units at the rate `units` and scale up the rest; `salt` tells the places apart.

        Notes
        -----
        Srivastava et al. 2014, JMLR 15; inverted scaling.
        """
        return tf.where(
            self._uniform(values, salt) >= self.units, values / (1.0 - self.units), 0.0
        )

    def hide_tokens(self, mask: Any) -> Any:
        """Hide tokens of a mask (batch, length) float32 at the rate `tokens`, never all of a text.

        Notes
        -----
        Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods", section 3.1.
        No scaling: what follows averages over the tokens that are left, or takes their maximum.
        """
        kept = tf.where(self._uniform(mask, 101) >= self.tokens, mask, 0.0)
        is_empty = tf.reduce_sum(kept, axis=1, keepdims=True) == 0
        return tf.where(is_empty, mask, kept)

    def _uniform(self, values: Any, salt: int) -> Any:
        """Draw a number in [0, 1) for each of `values` (batch, ...).

        Drawn for one of few sizes of a batch, since those of a row follow from the shape drawn:
        a batch that is filled up to such a size hides the same.
        """
        n_rows, *others = values.shape
        shape = [few_sizes_up(n_rows), *others]
        seed = self.seed + tf.constant([salt, 0])
        return tf.random.stateless_uniform(shape, seed, alg="threefry")[:n_rows]
