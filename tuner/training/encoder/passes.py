"""Compiled passes through an encoder without training: group by group, then the head."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork

__all__ = ["Passes"]


class Passes:
    """Runs groups of a network on whole batches.

    Each group is one compiled function for every batch, length and depth, so a pass from any
    group to any other compiles nothing new.

    Parameters
    ----------
    network
        The encoder.
    dtype
        Of the products above the cut; below it they are always in float32.
    """

    def __init__(self, network: EncoderNetwork, dtype: Any) -> None:
        self._network = network
        self._dtype = dtype
        self._compiled = cache(self._compile)
        self._pool = tf.function(network.pool, autograph=False, reduce_retracing=True)
        self._head = tf.function(network.head, autograph=False, reduce_retracing=True)

    def frozen(
        self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int32], start: int, stop: int
    ) -> npt.NDArray[np.float16]:
        """Run the groups `start` to `stop` (excluded), each rounded to float16.

        Parameters
        ----------
        values
            Ids (batch, length) int32 for start 0, else activations (batch, length, width).
        lengths
            Pieces per text, (batch,).
        """
        flowing = tf.constant(values)
        pieces = tf.constant(lengths)
        for number in range(start, stop):
            flowing = tf.cast(self._compiled(number, tf.float32)(flowing, pieces), tf.float16)
        return np.asarray(flowing.numpy(), np.float16)

    def features(
        self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int32], cut: int
    ) -> npt.NDArray[np.float32]:
        """Run all groups from the cut up and pool, (batch, width)."""
        flowing = tf.constant(values)
        pieces = tf.constant(lengths)
        for number in range(cut, self._network.n_groups):
            flowing = self._compiled(number, self._dtype)(flowing, pieces)
        return np.asarray(self._pool(flowing, pieces).numpy(), np.float32)

    def pool(
        self, values: npt.NDArray[np.float16], lengths: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float32]:
        """Pool the tokens of each text, (batch, width)."""
        pooled = self._pool(tf.cast(tf.constant(values), tf.float32), tf.constant(lengths))
        return np.asarray(pooled.numpy(), np.float32)

    def head(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give the logits of pooled features, (n, n_classes)."""
        return np.asarray(self._head(tf.constant(features)).numpy(), np.float32)

    def _compile(self, number: int, dtype: Any) -> Callable[[Any, Any], Any]:
        def run(values: Any, lengths: Any) -> Any:
            if number == 0:
                return self._network.embed(tf.gather(self._network.words, values))
            return self._network.group(number, tf.cast(values, tf.float32), lengths, dtype=dtype)

        compiled: Callable[[Any, Any], Any] = tf.function(
            run, autograph=False, reduce_retracing=True
        )
        return compiled
