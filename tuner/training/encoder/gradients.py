"""Gradients of the groups from the cut up, of one pass, from compiled functions a group."""

from __future__ import annotations

from functools import cache
from typing import Any

import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork, Hiding, Pooling
from tuner.training.compiling import Compiling
from tuner.training.encoder.functions import (
    LENGTHS,
    compiled,
    features_of,
    head_words,
    tokens_of,
)
from tuner.training.encoder.step import MicroBatch, StepNumbers
from tuner.training.loss import cross_entropy

__all__ = ["WORDS", "CutGradients", "trainable"]

WORDS = "embedding/word"

_NUMBER, _NUMBERS = tf.TensorSpec([], tf.float32), tf.TensorSpec([None], tf.float32)
_LABELS = tf.TensorSpec([None], tf.int32)
_SCALARS, _SEED = tf.TensorSpec([6], tf.float32), tf.TensorSpec([2], tf.int32)


def trainable(network: EncoderNetwork, *, cut: int) -> dict[str, tuple[Any, int]]:
    """Give the variables that are trained from the cut up, each with its group, by name."""
    variables = network.variables(lowest=cut)
    return variables | ({WORDS: (network.words, 0)} if cut == 0 else {})


class CutGradients:
    """Differentiates a network from any group up.

    Each group, each pooling and each width of the head is a compiled function, and so is its
    gradient. They are chained, so another pooling or head compiles nothing of the encoder, and
    another cut only the group above it.

    Parameters
    ----------
    network
        Left as it is.
    compiling
        Hears of every trace.

    Attributes
    ----------
    dtype
        Of the products.
    """

    def __init__(self, network: EncoderNetwork, compiling: Compiling) -> None:
        self._network = network
        self._compiling = compiling
        self._group = cache(self._compile_group)
        self._pool = cache(self._compile_pool)
        self._loss = cache(self._compile_loss)
        self.dtype: Any = tf.float32

    def of(
        self,
        part: MicroBatch,
        *,
        cut: int,
        total_weight: float,
        numbers: StepNumbers,
        seed: tuple[int, int],
    ) -> tuple[float, dict[str, Any]]:
        """Give a part's share of the loss of its batch, and the gradients of that by name.

        Parameters
        ----------
        total_weight
            Sum of the class weights over the whole batch.
        seed
            Of dropout: the step's, and the number of the part.
        """
        with self._compiling.watched():
            return self._loss_and_gradients(part, cut, total_weight, numbers, seed)

    def _loss_and_gradients(
        self,
        part: MicroBatch,
        cut: int,
        total_weight: float,
        numbers: StepNumbers,
        seed: tuple[int, int],
    ) -> tuple[float, dict[str, Any]]:
        network = self._network
        watched = {name: variable for name, (variable, _) in trainable(network, cut=cut).items()}
        flowing, lengths = tf.constant(part.values), tf.constant(part.lengths)
        if cut == 0:
            ids = flowing
            flowing = watched[WORDS] = tf.gather(network.words, ids)
        else:
            flowing = tf.cast(flowing, tf.float32)
        scalars, drawn = tf.constant(numbers.scalars()), tf.constant(seed, tf.int32)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(watched.values()))
            for number in range(cut, network.n_groups):
                run = self._group(number, self.dtype if number else tf.float32, number == cut > 0)
                flowing = run(flowing, lengths, scalars, drawn)
            if cut < network.n_groups:  # else features, pooled already
                flowing = self._pool(network.pooling)(flowing, lengths)
            loss = self._loss(network.head_width)(
                flowing,
                tf.constant(part.labels),
                tf.constant(total_weight, tf.float32),
                tf.constant(numbers.class_weights),
                scalars,
                drawn,
            )
        gradients = dict(zip(watched, tape.gradient(loss, list(watched.values())), strict=True))
        if cut == 0:
            gradients[WORDS] = tf.math.unsorted_segment_sum(
                gradients[WORDS], ids, tf.shape(network.words)[0]
            )
        return float(loss.numpy()), gradients

    def _compile_group(self, number: int, dtype: Any, is_cut: bool) -> Any:
        def run(values: Any, lengths: Any, scalars: Any, seed: Any) -> Any:
            at_cut = ", frozen below" if is_cut else ""
            self._compiling.trace(f"train group {number} in {dtype.name}{at_cut}")
            if is_cut:  # spares the gradient of what is frozen, a twelfth of the group's products
                values = tf.stop_gradient(values)
            # Else the chain would ask for the gradient of the rates too: passes over all units.
            _, _, dropout, encoder_dropout, *_ = tf.unstack(tf.stop_gradient(scalars))
            hiding = Hiding(encoder_dropout, dropout, seed)
            if number == 0:
                return self._network.embed(values, hiding)
            return self._network.group(number, values, lengths, hiding, dtype=dtype)

        return compiled(run, tokens_of(self._network, number), LENGTHS, _SCALARS, _SEED)

    def _compile_pool(self, pooling: Pooling) -> Any:
        def run(values: Any, lengths: Any) -> Any:
            self._compiling.trace(f"train through {pooling} pooling")
            return self._network.pool(values, lengths, pooling)

        return compiled(run, tokens_of(self._network, self._network.n_groups), LENGTHS)

    def _compile_loss(self, head_width: int | None) -> Any:
        def run(
            features: Any,
            labels: Any,
            total_weight: Any,
            class_weights: Any,
            scalars: Any,
            seed: Any,
        ) -> Any:
            self._compiling.trace(f"train {head_words(head_width)}")
            _, _, dropout, encoder_dropout, label_smoothing, focal_gamma = tf.unstack(
                tf.stop_gradient(scalars)
            )
            logits = self._network.head(features, Hiding(encoder_dropout, dropout, seed))
            weights = tf.gather(class_weights, labels)
            loss = cross_entropy(
                logits,
                labels,
                row_weights=tf.ones_like(weights),
                class_weights=class_weights,
                label_smoothing=label_smoothing,
                focal_gamma=focal_gamma,
            )
            return loss * (tf.reduce_sum(weights) / total_weight)

        return compiled(
            run, features_of(self._network), _LABELS, _NUMBER, _NUMBERS, _SCALARS, _SEED
        )
