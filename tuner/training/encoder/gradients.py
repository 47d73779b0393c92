"""Compiled gradients of the groups from the cut up, of one pass."""

from __future__ import annotations

from functools import cache
from typing import Any

import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork, Hiding
from tuner.training.compiling import Compiling
from tuner.training.encoder.step import MicroBatch, StepNumbers
from tuner.training.loss import cross_entropy

__all__ = ["WORDS", "CutGradients", "trainable"]

WORDS = "embedding/word"


def trainable(network: EncoderNetwork, *, cut: int) -> dict[str, tuple[Any, int]]:
    """Give the variables that are trained from the cut up, each with its group, by name."""
    variables = network.variables(lowest=cut)
    return variables | ({WORDS: (network.words, 0)} if cut == 0 else {})


class CutGradients:
    """Differentiates a network; one compiled function for every cut.

    Parameters
    ----------
    network
        Left as it is.
    dtype
        Of the products above the cut.
    compiling
        Hears of every trace.
    """

    def __init__(self, network: EncoderNetwork, dtype: Any, compiling: Compiling) -> None:
        self._network = network
        self._dtype = dtype
        self._compiling = compiling
        self._compiled = cache(self._compile)

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
        loss, gradients = self._compiled(cut)(
            tf.constant(part.values),
            tf.constant(part.lengths),
            tf.constant(part.labels),
            tf.constant(total_weight, tf.float32),
            tf.constant(numbers.scalars()),
            tf.constant(numbers.class_weights),
            tf.constant(seed, tf.int32),
        )
        return float(loss.numpy()), gradients

    def _compile(self, cut: int) -> Any:
        return tf.function(
            lambda *inputs: self._loss_and_gradients(cut, *inputs),
            autograph=False,
            reduce_retracing=True,
        )

    def _loss_and_gradients(
        self,
        cut: int,
        values: Any,
        lengths: Any,
        labels: Any,
        total_weight: Any,
        scalars: Any,
        class_weights: Any,
        seed: Any,
    ) -> tuple[Any, dict[str, Any]]:
        self._compiling.trace(f"train {values.shape} above group {cut}")
        _, _, dropout, encoder_dropout, label_smoothing, focal_gamma = tf.unstack(scalars)
        hiding = Hiding(encoder_dropout, dropout, seed)
        watched = {
            name: variable for name, (variable, _) in trainable(self._network, cut=cut).items()
        }
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            flowing = values
            if cut == 0:
                del watched[WORDS]
                flowing = watched[WORDS] = tf.gather(self._network.words, values)
            tape.watch(list(watched.values()))
            for number in range(cut, self._network.n_groups):
                flowing = (
                    self._network.embed(flowing, hiding)
                    if number == 0
                    else self._network.group(
                        number, tf.cast(flowing, tf.float32), lengths, hiding, dtype=self._dtype
                    )
                )
            if cut < self._network.n_groups:  # else features, pooled already
                flowing = self._network.pool(flowing, lengths)
            logits = self._network.head(flowing, hiding)
            weights = tf.gather(class_weights, labels)
            loss = cross_entropy(
                logits,
                labels,
                row_weights=tf.ones_like(weights),
                class_weights=class_weights,
                label_smoothing=label_smoothing,
                focal_gamma=focal_gamma,
            ) * (tf.reduce_sum(weights) / total_weight)
        gradients = dict(zip(watched, tape.gradient(loss, list(watched.values())), strict=True))
        if cut == 0:
            gradients[WORDS] = tf.math.unsorted_segment_sum(
                gradients[WORDS], values, tf.shape(self._network.words)[0]
            )
        return loss, gradients
