"""The compiled program: one per shape, serving all trials, with hyperparameters as tensors."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.cores import threads
from tuner.models.classifier import Classifier
from tuner.models.dropout import Dropout
from tuner.models.embedding import TokenEmbedding
from tuner.models.shape import ModelShape
from tuner.training.adam import Adam, TouchedRows
from tuner.training.batches import Batches
from tuner.training.data import PredictionCall
from tuner.training.loss import cross_entropy

__all__ = ["Hyperparameters", "Program", "program_for"]


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


class Program:
    """A classifier with its optimizer and compiled functions.

    TensorFlow compiles anew for every new shape of the arguments and for every frozen depth;
    `n_traces` counts that and `seconds_compiling` adds up the calls it came up in. Trials reset
    weights and moments in place; the best weights of a trial are kept beside them.
    """

    def __init__(self, shape: ModelShape) -> None:
        self.classifier = Classifier(shape)
        embedding = self.classifier.embedding
        self.adam = Adam(
            self.classifier.variables(),
            table=self.classifier.embedding_name,
            descends=embedding is not None and embedding[0].learns_by == "descent",
        )
        self.n_traces = 0
        self.seconds_compiling = 0.0
        self.seconds_per_step: dict[tuple[int, int], float] = {}
        self._train: dict[int, Any] = {}
        self._predict = tf.function(self._predict_batches, jit_compile=True, autograph=False)
        self._predict_shape: dict[tuple[int, int, int], Any] = {}
        self._pool = ThreadPoolExecutor(threads())
        self._kept: dict[str, Any] = {}

    # -- training -----------------------------------------------------------------------------

    def touches_rows(self, frozen_depth: int) -> bool:
        """Say whether a step updates rows of the embedding, and so needs `Batches.rows`."""
        embedding = self.classifier.embedding
        return embedding is not None and embedding[1] >= frozen_depth

    def train(
        self,
        batches: Batches,
        *,
        start: int,
        stop: int,
        frozen_depth: int,
        hyperparameters: tuple[Any, Any, Any],
        dropout_seed: int,
        is_last: bool = True,
    ) -> float:
        """Take the steps `start` to `stop` and give the sum of their losses.

        Parameters
        ----------
        batches
            With `rows` where `touches_rows` says so.
        frozen_depth
            Layer groups that stay as they are, bit for bit.
        hyperparameters
            `Hyperparameters.tensors()`.
        dropout_seed
            Seed of these batches' dropout; every step has its own stream.
        is_last
            Whether others read the weights after this call: all rows of the embedding then make
            up for the steps that they were not touched in, see `Adam`.
        """
        if frozen_depth not in self._train:
            self._train[frozen_depth] = self._compile_train(frozen_depth)
        with self._watched():
            loss = self._train[frozen_depth](
                batches.token_ids,
                batches.labels,
                batches.row_weights,
                batches.rows,
                np.array([start, stop, dropout_seed, is_last], np.int32),
                *hyperparameters,
            )
            return float(loss.numpy())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        traces, started = self.n_traces, time.perf_counter()
        yield
        if self.n_traces > traces:
            self.seconds_compiling += time.perf_counter() - started

    def _compile_train(self, frozen_depth: int) -> Any:
        variables = self.classifier.variables(frozen_depth=frozen_depth)

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
            self.n_traces += 1  # runs while tracing only
            start, stop, seed, is_last = tf.unstack(run)
            l1, l2, dropout_rate, token_dropout, *of_loss, momentum = tf.unstack(scalars)
            label_smoothing, focal_gamma = of_loss

            def one_step(step: Any, total: Any) -> tuple[Any, Any]:
                dropout = Dropout(dropout_rate, token_dropout, tf.stack([seed, step]))

                def forward() -> Any:
                    return cross_entropy(
                        self.classifier(tf.cast(token_ids[step], tf.int32), dropout),
                        labels[step],
                        row_weights=row_weights[step],
                        class_weights=class_weights,
                        label_smoothing=label_smoothing,
                        focal_gamma=focal_gamma,
                    )

                touched = None if rows is None else self._read(rows[step], momentum)
                loss, gradients = self._differentiate(forward, variables, touched)
                self.adam.apply(variables, gradients, touched=touched, rates=rates, l1=l1, l2=l2)
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
        return cast("tuple[TokenEmbedding, int]", self.classifier.embedding)[0]

    def _read(self, rows: Any, momentum: Any) -> TouchedRows:
        return self.adam.read(self._embedding.embeddings.value, rows, momentum=momentum)

    def _settle(self, turn: Any) -> tuple[Any]:
        self.adam.settle(self._embedding.embeddings.value)
        return (turn + 1,)

    # -- prediction ---------------------------------------------------------------------------

    def _predict_batches(self, token_ids: Any, n_batches: Any) -> Any:
        """Map ids (k, m, length) to probabilities (k, m, n_classes), 0.0 from `n_batches` on."""
        self.n_traces += 1
        k, m, _ = token_ids.shape

        def one_batch(number: Any, found: Any) -> tuple[Any, Any]:
            probabilities = tf.nn.softmax(self.classifier(token_ids[number]))
            place = tf.reshape(number, (1, 1))
            return number + 1, tf.tensor_scatter_nd_update(found, place, probabilities[None])

        none = tf.zeros((k, m, self.classifier.shape.n_classes))
        _, found = tf.while_loop(
            lambda number, _: number < n_batches, one_batch, (tf.constant(0), none)
        )
        return found

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
        n_classes = self.classifier.shape.n_classes
        out = np.zeros((n, n_classes), np.float32)

        def predict(call: PredictionCall) -> None:
            found = self._predict_shape[call.shape](call.token_ids, tf.constant(call.n_batches))
            out[call.rows] = found.numpy().reshape(-1, n_classes)[: len(call.rows)]

        with self._watched():
            later = []
            for call in calls:
                if call.shape in self._predict_shape:
                    later.append(call)
                    continue
                # Traced and compiled in this thread, once.
                self._predict_shape[call.shape] = self._predict.get_concrete_function(
                    call.token_ids, tf.TensorSpec((), tf.int32)
                )
                predict(call)
            # A lookup of embeddings keeps one core busy, so calls take a core each.
            list(self._pool.map(predict, later))
        return out

    # -- the best weights of a trial ----------------------------------------------------------

    def keep(self, *, frozen_depth: int = 0) -> None:
        """Keep a copy of the weights above the frozen groups; the others' copies must be true."""
        for name, variable, _ in self.classifier.variables(frozen_depth=frozen_depth):
            if name not in self._kept:
                self._kept[name] = tf.Variable(variable, trainable=False)
            else:
                self._kept[name].assign(variable)

    def restore(self) -> None:
        """Set the weights to those kept."""
        for name, variable, _ in self.classifier.variables():
            variable.assign(self._kept[name])

    # -- a trial's state between two epochs ---------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copy weights, kept weights and optimizer out."""
        parts = {
            "weights": self.classifier.weights(),
            "kept": {name: variable.numpy() for name, variable in self._kept.items()},
            "adam": self.adam.moments(),
        }
        return {f"{part}/{name}": v for part, found in parts.items() for name, v in found.items()}

    def load_state(self, state: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Set in place what `state` gave.

        Raises
        ------
        CheckpointError
            If it is another program's.
        """
        parts: dict[str, dict[str, Any]] = {"weights": {}, "kept": {}, "adam": {}}
        for name, value in state.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        self.classifier.load(parts["kept"])
        self.keep()
        self.classifier.load(parts["weights"])
        self.adam.load(parts["adam"])


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
