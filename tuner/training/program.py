"""The compiled program: one per shape, serving all trials, with hyperparameters as tensors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.classifier import Classifier
from tuner.models.dropout import Dropout
from tuner.models.shape import ModelShape
from tuner.training.adam import Adam
from tuner.training.loss import cross_entropy

__all__ = ["Hyperparameters", "Program", "TrainTensors", "program_for"]

PREDICTION_BATCH = 256  # always filled up to it, so that scores do not depend on who else is there


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Numbers of a trial that enter the program as tensors.

    `rates` holds a learning rate per layer group, from the input up; `class_weights` is
    (n_classes,) float32; the rest are as in the settings of the same name.
    """

    rates: tuple[float, ...]
    l1: float
    l2: float
    dropout: float
    token_dropout: float
    label_smoothing: float
    class_weights: npt.NDArray[np.float32]

    def tensors(self) -> tuple[Any, Any, Any]:
        """Give rates (n_groups,), scalars (5,) and class weights (n_classes,), all float32."""
        scalars = [self.l1, self.l2, self.dropout, self.token_dropout, self.label_smoothing]
        return (
            tf.constant(self.rates, tf.float32),
            tf.constant(scalars, tf.float32),
            tf.constant(self.class_weights),
        )


@dataclass(frozen=True, slots=True)
class TrainTensors:
    """One bucket of the train part in the program's memory: ids (n, length), labels (n,)."""

    token_ids: Any
    labels: Any


class Program:
    """A classifier with its optimizer and compiled functions.

    TensorFlow compiles anew for every new shape of the arguments and for every frozen depth;
    `n_traces` counts that. Trials reset weights and moments in place.
    """

    def __init__(self, shape: ModelShape) -> None:
        self.classifier = Classifier(shape)
        self.adam = Adam(self.classifier.variables())
        self.n_traces = 0
        self.seconds_per_step: dict[int, float] = {}
        self._train: dict[int, Any] = {}
        self._predict = tf.function(self._predict_batch, jit_compile=True, autograph=False)

    def train(
        self,
        data: TrainTensors,
        order: Any,
        row_weights: Any,
        *,
        start: int,
        stop: int,
        frozen_depth: int,
        hyperparameters: tuple[Any, Any, Any],
        dropout_seed: int,
    ) -> float:
        """Take the steps `start` to `stop` and give the sum of their losses.

        Parameters
        ----------
        data
            Bucket that `order` points into.
        order, row_weights
            Tensors (n_steps, batch) int32 and float32.
        frozen_depth
            Layer groups that stay as they are, bit for bit.
        hyperparameters
            `Hyperparameters.tensors()`.
        dropout_seed
            Seed of this epoch's dropout; every step has its own stream.
        """
        if frozen_depth not in self._train:
            self._train[frozen_depth] = self._compile_train(frozen_depth)
        loss = self._train[frozen_depth](
            data.token_ids,
            data.labels,
            order,
            row_weights,
            tf.constant(start),
            tf.constant(stop),
            *hyperparameters,
            tf.constant(dropout_seed, tf.int32),
        )
        return float(loss.numpy())

    def _compile_train(self, frozen_depth: int) -> Any:
        variables = self.classifier.variables(frozen_depth=frozen_depth)
        tensors = [variable for _, variable, _ in variables]

        def steps(
            token_ids: Any,
            labels: Any,
            order: Any,
            row_weights: Any,
            start: Any,
            stop: Any,
            rates: Any,
            scalars: Any,
            class_weights: Any,
            seed: Any,
        ) -> Any:
            self.n_traces += 1  # runs while tracing only
            l1, l2, dropout_rate, token_dropout, label_smoothing = tf.unstack(scalars)

            def one_step(step: Any, total: Any) -> tuple[Any, Any]:
                rows = order[step]
                dropout = Dropout(dropout_rate, token_dropout, tf.stack([seed, step]))
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(tensors)
                    loss = cross_entropy(
                        self.classifier(tf.gather(token_ids, rows), dropout),
                        tf.gather(labels, rows),
                        row_weights=row_weights[step],
                        class_weights=class_weights,
                        label_smoothing=label_smoothing,
                    )
                gradients = tape.gradient(loss, tensors)
                self.adam.apply(variables, gradients, rates=rates, l1=l1, l2=l2)
                return step + 1, total + loss

            _, total = tf.while_loop(
                lambda step, _: step < stop, one_step, (start, tf.constant(0.0))
            )
            return total

        return tf.function(steps, jit_compile=True, autograph=False)

    def _predict_batch(self, token_ids: Any) -> Any:
        self.n_traces += 1
        return tf.nn.softmax(self.classifier(token_ids))

    def probabilities(
        self, buckets: Sequence[tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]], n: int
    ) -> npt.NDArray[np.float32]:
        """Predict all rows of a part.

        Parameters
        ----------
        buckets
            Positions (m,) and ids (m, length) per bucket; together they hold every position once.
        n
            Rows of the part.

        Returns
        -------
        ndarray (n, n_classes) float32
            Rows add up to 1. A text's row does not depend on the other texts.
        """
        out = np.zeros((n, self.classifier.shape.n_classes), np.float32)
        for rows, token_ids in buckets:
            for start in range(0, len(rows), PREDICTION_BATCH):
                batch = token_ids[start : start + PREDICTION_BATCH]
                filled = np.zeros((PREDICTION_BATCH, token_ids.shape[1]), np.int32)
                filled[: len(batch)] = batch
                probabilities = self._predict(tf.constant(filled)).numpy()
                out[rows[start : start + PREDICTION_BATCH]] = probabilities[: len(batch)]
        return out


_KEPT = 4
_programs: OrderedDict[ModelShape, Program] = OrderedDict()


def program_for(shape: ModelShape) -> Program:
    """Give the program of a shape, the same one to every trial of the process.

    The least recently used of more than four is let go, so that searching shapes does not fill
    the memory.
    """
    program = _programs.pop(shape, None) or Program(shape)
    _programs[shape] = program
    while len(_programs) > _KEPT:
        _programs.popitem(last=False)
    return program
