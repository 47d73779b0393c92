"""Compiled training steps, with a trial's hyperparameters as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.classifier import Classifier
from tuner.models.layers import Dropout, TokenEmbedding
from tuner.recent import Recent
from tuner.training.adam import Adam, TouchedRows
from tuner.training.batches import Batches
from tuner.training.compiling import Compiling
from tuner.training.loss import cross_entropy

__all__ = ["Hyperparameters", "TrainingSteps"]

FUNCTIONS_KEPT = 64  # of a network; one that is needed again costs seconds, and memory anew


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Numbers of a trial that enter the program as tensors.

    `rates` holds a learning rate per layer group, from the input up; `class_weights` is
    (n_classes,) float32; `momentum` is 1.0 where rows of the embedding also move between their
    batches, see `Adam`; the rest are as in the settings of the same name.
    """

    rates: tuple[float, ...]
    l1: float
    l2: float
    dropout: float
    token_dropout: float
    label_smoothing: float
    focal_gamma: float
    momentum: float
    class_weights: npt.NDArray[np.float32]

    def tensors(self) -> tuple[Any, Any, Any]:
        """Give rates (n_groups,), scalars (7,) and class weights (n_classes,), all float32."""
        scalars = [
            self.l1, self.l2, self.dropout, self.token_dropout, self.label_smoothing,
            self.focal_gamma, self.momentum,
        ]  # fmt: skip
        return (
            np.array(self.rates, np.float32),
            tf.constant(scalars, tf.float32),
            tf.constant(self.class_weights),
        )


class TrainingSteps:
    """The steps of a classifier with its optimizer, one function a shape and frozen depth.

    Those not used for longest are let go of, as far as TensorFlow lets go: XLA keeps what it has
    compiled, which is more than half of it, until the process ends.

    Parameters
    ----------
    classifier, adam
        Changed in place by the steps.
    compiling
        Hears of every trace.
    """

    def __init__(self, classifier: Classifier, adam: Adam, compiling: Compiling) -> None:
        self._classifier = classifier
        self._adam = adam
        self._compiling = compiling
        self._compiled: Recent[tuple[Any, ...], Any] = Recent(FUNCTIONS_KEPT)

    @property
    def n_functions(self) -> int:
        """Count the compiled functions held."""
        return len(self._compiled)

    def compiled(self, batches: Batches, frozen_depth: int) -> Any:
        """Give the function that trains the groups above the frozen ones on such batches.

        It takes the arrays of `Batches`, the steps to take as (start, stop, seed of dropout, is
        last) int32, and `Hyperparameters.tensors()`; it gives the sum of the steps' losses.
        """
        rows = None if batches.rows is None else batches.rows.shape
        key = (frozen_depth, batches.token_ids.shape, batches.token_ids.dtype, rows)
        return self._compiled.obtain(key, lambda: self._compile(frozen_depth))

    def _compile(self, frozen_depth: int) -> Any:
        variables = self._classifier.variables(frozen_depth=frozen_depth)

        def steps(
            token_ids: Any,
            labels: Any,
            row_weights: Any,
            rows: Any,
            run: Any,
            rates: Any,
            scalars: Any,
            class_weights: Any,
        ) -> Any:
            _, batch_size, length = token_ids.shape
            touched = "" if rows is None else f", {rows.shape[1]} rows"
            self._compiling.trace(
                f"train {batch_size} x {length}{touched}, {frozen_depth} groups frozen"
            )
            start, stop, seed, is_last = tf.unstack(run)
            l1, l2, dropout_rate, token_dropout, *of_loss, momentum = tf.unstack(scalars)
            label_smoothing, focal_gamma = of_loss

            def one_step(step: Any, total: Any) -> tuple[Any, Any]:
                dropout = Dropout(dropout_rate, token_dropout, tf.stack([seed, step]))

                def forward() -> Any:
                    return cross_entropy(
                        self._classifier(tf.cast(token_ids[step], tf.int32), dropout),
                        labels[step],
                        row_weights=row_weights[step],
                        class_weights=class_weights,
                        label_smoothing=label_smoothing,
                        focal_gamma=focal_gamma,
                    )

                touched = None if rows is None else self._read(rows[step], momentum)
                loss, gradients = self._differentiate(forward, variables, touched)
                self._adam.apply(variables, gradients, touched=touched, rates=rates, l1=l1, l2=l2)
                return step + 1, total + loss

            _, total = tf.while_loop(
                lambda step, _: step < stop, one_step, (start, tf.constant(0.0))
            )
            if rows is not None:
                # A loop of one turn or none: the compiler copies what a condition may change.
                turns = tf.where(momentum > 0.0, is_last, 0)
                tf.while_loop(lambda turn: turn < turns, self._settle, (tf.constant(0),))
            return total

        return tf.function(steps, jit_compile=True, autograph=False)

    def _differentiate(
        self, forward: Any, variables: list[tuple[str, Any, int]], touched: TouchedRows | None
    ) -> tuple[Any, list[Any]]:
        """Give the loss and its gradients, that of the embedding by touched rows."""
        tensors = [variable for _, variable, _ in variables]
        if touched is None:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensors)
                loss = forward()
            return loss, tape.gradient(loss, tensors)
        layer = self._embedding
        table = layer.embeddings.value
        sources = [touched.values if tensor is table else tensor for tensor in tensors]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            with layer.reading(touched.values):
                loss = forward()
        gradients = [tf.convert_to_tensor(found) for found in tape.gradient(loss, sources)]
        # `[PAD]` also fills up `rows`: all its places shall write the same.
        is_token = tf.cast(touched.rows != 0, tf.float32)[:, None]
        return loss, [
            gradient * is_token if tensor is table else gradient
            for tensor, gradient in zip(tensors, gradients, strict=True)
        ]

    @property
    def _embedding(self) -> TokenEmbedding:
        return cast("tuple[TokenEmbedding, int]", self._classifier.embedding)[0]

    def _read(self, rows: Any, momentum: Any) -> TouchedRows:
        return self._adam.read(self._embedding.embeddings.value, rows, momentum=momentum)

    def _settle(self, turn: Any) -> tuple[Any]:
        self._adam.settle(self._embedding.embeddings.value)
        return (turn + 1,)
