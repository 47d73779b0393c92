"""Compiled passes through a classifier without training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.cores import threads
from tuner.models.classifier import Classifier
from tuner.training.compiling import Compiling
from tuner.training.data import PredictionCall

__all__ = ["Passes"]


class Passes:
    """Predicts with the weights that a classifier has; compiled once a shape.

    Parameters
    ----------
    classifier
        Left as it is.
    compiling
        Hears of every trace.
    """

    def __init__(self, classifier: Classifier, compiling: Compiling) -> None:
        self._classifier = classifier
        self._compiling = compiling
        self._predict = tf.function(self._predict_batches, jit_compile=True, autograph=False)
        self._of_shape: dict[tuple[int, int, int], Any] = {}
        self._pool = ThreadPoolExecutor(threads())

    def probabilities(self, calls: Sequence[PredictionCall], n: int) -> npt.NDArray[np.float32]:
        """Predict all rows of a part.

        Parameters
        ----------
        calls
            See `tuner.training.data.prediction_calls`; together they hold every row once.
        n
            Rows of the part.

        Returns
        -------
        ndarray (n, n_classes) float32
            Rows add up to 1. A text's row does not depend on the other texts.
        """
        n_classes = self._classifier.shape.n_classes
        out = np.zeros((n, n_classes), np.float32)

        def predict(call: PredictionCall) -> None:
            found = self._of_shape[call.shape](call.token_ids, tf.constant(call.n_batches))
            out[call.rows] = found.numpy().reshape(-1, n_classes)[: len(call.rows)]

        with self._compiling.watched():
            later = []
            for call in calls:
                if call.shape in self._of_shape:
                    later.append(call)
                    continue
                # Traced and compiled in this thread, once.
                self._of_shape[call.shape] = self._predict.get_concrete_function(
                    call.token_ids, tf.TensorSpec((), tf.int32)
                )
                predict(call)
            # A lookup of embeddings keeps one core busy, so calls take a core each.
            list(self._pool.map(predict, later))
        return out

    def _predict_batches(self, token_ids: Any, n_batches: Any) -> Any:
        """Map ids (k, m, length) to probabilities (k, m, n_classes), 0.0 from `n_batches` on."""
        k, m, length = token_ids.shape
        self._compiling.trace(f"predict {k} x {m} x {length}")

        def one_batch(number: Any, found: Any) -> tuple[Any, Any]:
            probabilities = tf.nn.softmax(self._classifier(token_ids[number]))
            place = tf.reshape(number, (1, 1))
            return number + 1, tf.tensor_scatter_nd_update(found, place, probabilities[None])

        none = tf.zeros((k, m, self._classifier.shape.n_classes))
        _, found = tf.while_loop(
            lambda number, _: number < n_batches, one_batch, (tf.constant(0), none)
        )
        return found
