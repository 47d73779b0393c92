"""Linear probing: the head alone, trained in compiled loops on features that do not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork, Hiding
from tuner.training.adam import Adam
from tuner.training.compiling import Compiling
from tuner.training.encoder.functions import head_words
from tuner.training.encoder.step import StepNumbers
from tuner.training.loss import cross_entropy

__all__ = ["HeadProbe"]


class HeadProbe:
    """The head that a network has chosen, with an optimizer of its own.

    Parameters
    ----------
    network
        Its head is trained in place.
    compiling
        Hears of every trace.
    """

    def __init__(self, network: EncoderNetwork, compiling: Compiling) -> None:
        self._network = network
        self._compiling = compiling
        self._head = [
            (name, variable, group)
            for name, (variable, group) in network.variables(lowest=network.n_groups).items()
        ]
        self._words = head_words(network.head_width)
        self._adam = Adam(self._head)
        self._compiled = tf.function(self._steps, autograph=False, reduce_retracing=True)

    def reset(self) -> None:
        """Forget all moments."""
        self._adam.reset()

    def moments(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copy the optimizer's moments out."""
        return self._adam.moments()

    def load(self, moments: Mapping[str, Any]) -> None:
        """Set in place what `moments` gave."""
        self._adam.load(moments)

    def train(
        self,
        features: Any,
        labels: Any,
        order: npt.NDArray[np.int32],
        row_weights: npt.NDArray[np.float32],
        *,
        numbers: StepNumbers,
        factor: float,
        seed: int,
    ) -> float:
        """Train on pooled features and give the sum of the steps' losses.

        Parameters
        ----------
        features, labels
            Tensors (n, width) float32 and (n,) int32.
        order, row_weights
            (n_steps, batch): positions, and 0.0 for filling.
        factor
            Share of the rate that these steps take.
        """
        with self._compiling.watched():
            loss = self._compiled(
                features,
                labels,
                tf.constant(order),
                tf.constant(row_weights),
                tf.constant(numbers.rates[-1] * factor, tf.float32),
                tf.constant(numbers.scalars()),
                tf.constant(numbers.class_weights),
                tf.constant(seed, tf.int32),
            )
            return float(loss.numpy())

    def _steps(
        self,
        features: Any,
        labels: Any,
        order: Any,
        row_weights: Any,
        rate: Any,
        scalars: Any,
        class_weights: Any,
        seed: Any,
    ) -> Any:
        self._compiling.trace(f"probe with {self._words} {order.shape} of {features.shape}")
        l1, l2, dropout, _, label_smoothing, focal_gamma = tf.unstack(scalars)
        rates = tf.fill([self._network.n_groups + 1], rate)

        def one_step(step: Any, total: Any) -> tuple[Any, Any]:
            rows = order[step]
            hiding = Hiding(0.0, dropout, tf.stack([seed, step]))
            with tf.GradientTape() as tape:
                loss = cross_entropy(
                    self._network.head(tf.gather(features, rows), hiding),
                    tf.gather(labels, rows),
                    row_weights=row_weights[step],
                    class_weights=class_weights,
                    label_smoothing=label_smoothing,
                    focal_gamma=focal_gamma,
                )
            gradients = tape.gradient(loss, [variable for _, variable, _ in self._head])
            self._adam.apply(self._head, gradients, rates=rates, l1=l1, l2=l2)
            return step + 1, total + loss

        _, total = tf.while_loop(
            lambda step, _: step < tf.shape(order)[0],
            one_step,
            (tf.constant(0), tf.constant(0.0)),
        )
        return total
