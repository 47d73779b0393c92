"""The compiled program: one per shape, serving all trials, which reset it in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.classifier import Classifier
from tuner.models.shape import ModelShape
from tuner.recent import Recent
from tuner.training.adam import Adam
from tuner.training.batches import Batches
from tuner.training.compiling import Compiling
from tuner.training.passes import Passes
from tuner.training.steps import TrainingSteps

__all__ = ["Program", "program_for"]

# What letting go of a function returns: 3 MB of `average`'s were measured, none of `textcnn`'s.
_FUNCTION_NUMBERS = 1_000_000


class Program:
    """A classifier with its optimizer and compiled functions.

    TensorFlow compiles anew for every new shape of the arguments and for every frozen depth, see
    `compiling`. Trials reset weights and moments in place; the best weights of a trial are kept
    beside them.

    Attributes
    ----------
    seconds_per_step
        As last measured, by batch size, padded length and frozen depth; filled by the trials.
    """

    def __init__(self, shape: ModelShape) -> None:
        self.classifier = Classifier(shape)
        embedding = self.classifier.embedding
        self.adam = Adam(
            self.classifier.variables(),
            table=self.classifier.embedding_name,
            descends=embedding is not None and embedding[0].learns_by == "descent",
        )
        self.compiling = Compiling(str(shape))
        self.steps = TrainingSteps(self.classifier, self.adam, self.compiling)
        self.passes = Passes(self.classifier, self.compiling)
        self.seconds_per_step: dict[tuple[int, ...], float] = {}
        self._kept: dict[str, Any] = {}

    @property
    def weight(self) -> int:
        """Estimate the memory that letting go of it returns, in numbers of four bytes."""
        n_functions = self.steps.n_functions + self.passes.n_functions
        return 4 * self.classifier.n_parameters + n_functions * _FUNCTION_NUMBERS

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
        with self.compiling.watched():
            loss = self.steps.compiled(batches, frozen_depth)(
                batches.token_ids,
                batches.labels,
                batches.row_weights,
                batches.rows,
                np.array([start, stop, dropout_seed, is_last], np.int32),
                *hyperparameters,
            )
            return float(loss.numpy())

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


# One a backbone, of any size. More, since each is seconds of compiling, while letting go of all
# returns less than a gigabyte: four numbers a parameter, and a little of what was compiled.
_programs: Recent[ModelShape, Program] = Recent(
    5,
    weigh=lambda program: program.weight,
    weight_max=250_000_000,
)


def program_for(shape: ModelShape) -> Program:
    """Give the program of a shape, the same one to every trial of the process.

    Of many the least recently used is let go, so that searching shapes does not fill the memory.
    """
    return _programs.obtain(shape, lambda: Program(shape))
