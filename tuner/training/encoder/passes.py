"""Compiled passes through an encoder without training: group by group, then the head."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork, Pooling
from tuner.training.compiling import Compiling
from tuner.training.encoder.functions import (
    LENGTHS,
    compiled,
    features_of,
    head_words,
    tokens_of,
)

__all__ = ["Passes"]


class Passes:
    """Runs groups of a network on whole batches.

    Each group is one compiled function for every batch, length and depth, so a pass from any
    group to any other compiles nothing new; so are each pooling and each width of the head.

    Parameters
    ----------
    network
        The encoder.
    compiling
        Hears of every trace.

    Attributes
    ----------
    dtype
        Of the products above the cut; below it they are always in float32.
    n_untouched
        Groups from the input up whose weights are the checkpoint's; whoever changes the network's
        weights says so here.
    """

    def __init__(self, network: EncoderNetwork, compiling: Compiling) -> None:
        self._network = network
        self._compiling = compiling
        self._group = cache(self._compile_group)
        self._pool = cache(self._compile_pool)
        self._head = cache(self._compile_head)
        self.dtype: Any = tf.float32
        self.n_untouched = 0

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
        with self._compiling.watched():
            for number in range(start, stop):
                flowing = tf.cast(self._run(number, tf.float32, flowing, pieces), tf.float16)
        return np.asarray(flowing.numpy(), np.float16)

    def features(
        self, values: npt.NDArray[Any], lengths: npt.NDArray[np.int32], cut: int
    ) -> npt.NDArray[np.float32]:
        """Run all groups from the cut up and pool, (batch, width)."""
        flowing = tf.constant(values)
        pieces = tf.constant(lengths)
        with self._compiling.watched():
            for number in range(cut, self._network.n_groups):
                flowing = self._run(number, self.dtype, flowing, pieces)
            return np.asarray(self._pool(self._network.pooling)(flowing, pieces), np.float32)

    def pool(
        self,
        values: npt.NDArray[np.float16],
        lengths: npt.NDArray[np.int32],
        pooling: Pooling,
    ) -> npt.NDArray[np.float32]:
        """Pool the tokens of each text, (batch, width)."""
        flowing = tf.cast(tf.constant(values), tf.float32)
        with self._compiling.watched():
            pooled = self._pool(pooling)(flowing, tf.constant(lengths))
        return np.asarray(pooled, np.float32)

    def head(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Give the logits of pooled features, (n, n_classes)."""
        with self._compiling.watched():
            logits = self._head(self._network.head_width)(tf.constant(features))
        return np.asarray(logits, np.float32)

    def _run(self, number: int, dtype: Any, values: Any, lengths: Any) -> Any:
        if number == 0:
            values, dtype = tf.gather(self._network.words, values), tf.float32
        return self._group(number, dtype)(tf.cast(values, tf.float32), lengths)

    def _compile_group(self, number: int, dtype: Any) -> Any:
        def run(values: Any, lengths: Any) -> Any:
            self._compiling.trace(f"run group {number} in {dtype.name}")
            if number == 0:
                return self._network.embed(values)
            return self._network.group(number, values, lengths, dtype=dtype)

        return compiled(run, tokens_of(self._network, number), LENGTHS)

    def _compile_pool(self, pooling: Pooling) -> Any:
        def run(values: Any, lengths: Any) -> Any:
            self._compiling.trace(f"run {pooling} pooling")
            return self._network.pool(values, lengths, pooling)

        return compiled(run, tokens_of(self._network, self._network.n_groups), LENGTHS)

    def _compile_head(self, head_width: int | None) -> Any:
        def run(features: Any) -> Any:
            self._compiling.trace(f"run {head_words(head_width)}")
            return self._network.head(features)

        return compiled(run, features_of(self._network))
