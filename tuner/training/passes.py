"""Compiled passes through a classifier without training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.cores import threads
from tuner.models.classifier import Classifier
from tuner.records import StopRequested
from tuner.training.calls import batches_per_call
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
        self._seconds_per_batch: dict[tuple[int, int, int], float] = {}
        self._pool = ThreadPoolExecutor(threads())

    @property
    def n_functions(self) -> int:
        """Count the compiled functions held: one a padded length, and those are few."""
        return len(self._of_shape)

    def probabilities(
        self,
        calls: Sequence[PredictionCall],
        n: int,
        *,
        stop_requested: StopRequested = lambda: None,
    ) -> npt.NDArray[np.float32]:
        """Predict all rows of a part.

        Parameters
        ----------
        calls
            See `tuner.training.data.prediction_calls`; together they hold every row once.
        n
            Rows of the part.
        stop_requested
            Called between compiled calls, which take a second or a batch; may raise to stop.

        Returns
        -------
        ndarray (n, n_classes) float32
            Rows add up to 1. A text's row does not depend on the other texts.
        """
        out = np.zeros((n, self._classifier.shape.n_classes), np.float32)
        later = []
        for call in calls:
            start = 0
            if call.shape not in self._of_shape:
                stop_requested()
                # Traced and compiled in this thread, once.
                with self._compiling.watched():
                    self._of_shape[call.shape] = self._predict.get_concrete_function(
                        call.token_ids, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)
                    )
                    self._run(call, 0, 1, out)
                start = 1
            later.append((call, start))
        # A lookup of embeddings keeps one core busy, so calls take a core each.
        running = [
            (call.shape, self._pool.submit(self._run, call, start, stop, out))
            for call, first in later
            for start, stop in self._cut(call, first)
        ]
        try:
            for shape, each in running:
                stop_requested()
                self._seconds_per_batch[shape] = each.result()
        finally:
            wait([each for _, each in running if not each.cancel()])
        return out

    def _cut(self, call: PredictionCall, start: int) -> Iterator[tuple[int, int]]:
        """Cut the batches of a call from `start` on into calls of about a second."""
        n_each = batches_per_call(self._seconds_per_batch.get(call.shape), unmeasured=1)
        while start < call.n_batches:
            stop = min(call.n_batches, start + n_each)
            yield start, stop
            start = stop

    def _run(
        self, call: PredictionCall, start: int, stop: int, out: npt.NDArray[np.float32]
    ) -> float:
        """Predict the batches `start` to `stop` into the rows of `out`; give seconds a batch."""
        began = time.perf_counter()
        found = self._of_shape[call.shape](call.token_ids, tf.constant(start), tf.constant(stop))
        size = call.shape[1]
        rows = call.rows[start * size : stop * size]
        out[rows] = found.numpy()[start:stop].reshape(-1, out.shape[1])[: len(rows)]
        return (time.perf_counter() - began) / (stop - start)

    def _predict_batches(self, token_ids: Any, start: Any, stop: Any) -> Any:
        """Map ids (k, m, length) to probabilities (k, m, n_classes), of the batches asked for."""
        k, m, length = token_ids.shape
        self._compiling.trace(f"predict {k} x {m} x {length}")

        def one_batch(number: Any, found: Any) -> tuple[Any, Any]:
            probabilities = tf.nn.softmax(self._classifier(token_ids[number]))
            place = tf.reshape(number, (1, 1))
            return number + 1, tf.tensor_scatter_nd_update(found, place, probabilities[None])

        none = tf.zeros((k, m, self._classifier.shape.n_classes))
        _, found = tf.while_loop(lambda number, _: number < stop, one_batch, (start, none))
        return found
