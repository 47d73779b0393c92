"""Train, validate, fine-tune, re-evaluate: the two phases of a trial, as one straight line."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.models import model_shape
from tuner.models.embedding import EmbeddingRows
from tuner.records import (
    Checkpoint,
    EncodedTexts,
    Report,
    Scores,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)
from tuner.training.augment import ReplacementTables, augment
from tuner.training.batches import Batches, ahead, make_batches
from tuner.training.buckets import EpochPlan, plan_epoch
from tuner.training.course import Course
from tuner.training.data import EvaluationPart, FitData, prediction_calls
from tuner.training.loss import class_weights
from tuner.training.metrics import score
from tuner.training.program import Hyperparameters, Program, program_for
from tuner.training.rates import discriminative_learning_rates

__all__ = ["fit", "predict_probabilities"]

AUGMENTATION = 1  # what the seed of a piece is for, beside its order
SECONDS_PER_CALL = 1.0  # aimed at; a call is never to last longer than two


def fit(
    settings: Settings,
    data: FitData,
    *,
    seeds: TrialSeeds,
    report: Report,
    stop_requested: StopRequested,
    embedding_start: EmbeddingRows | None = None,
    replacements: ReplacementTables | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrialOutcome:
    """Run one trial.

    Phase one trains all groups; phase two continues from its best weights with the lowest
    `model.frozen_depth` groups frozen. Validation chooses the epoch, selection gives the value.

    Parameters
    ----------
    settings
        Settings of this trial.
    data
        Prepared parts; the sealed test is not among them.
    seeds
        Of this trial.
    report
        Hears of every epoch; may raise to prune.
    stop_requested
        Called between compiled calls; may raise to stop.
    embedding_start
        Rows of the embedding that do not start at random; None where `model.vectors` is "none".
    replacements
        What tokens of train may be replaced by; None where nothing is augmented.
    checkpoint
        Where the trial goes on from, and leaves its state after an epoch when that is due; the
        result is the same, bit for bit, as without.

    Raises
    ------
    TrialFailed
        If the loss or the predictions are no longer finite, or memory runs out.
    """
    try:
        trial = _Trial(
            settings,
            data,
            seeds,
            report,
            stop_requested,
            embedding_start,
            replacements,
            checkpoint,
        )
        return trial.run()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise TrialFailed(
            "out of memory: try a smaller training.batch_size, features.max_tokens or "
            "features.vocabulary_size"
        ) from error


class _Trial:
    """The state of one run of the two phases."""

    def __init__(
        self,
        settings: Settings,
        data: FitData,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        embedding_start: EmbeddingRows | None,
        replacements: ReplacementTables | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.settings = settings
        self.data = data
        self.seeds = seeds
        self.stop_requested = stop_requested
        self.embedding_start = embedding_start
        self.replacements = replacements
        shape = model_shape(
            settings.model,
            vocabulary_size=data.layout.vocabulary_size,
            n_classes=len(data.classes),
        )
        self.program = program_for(shape)
        self.course = Course(
            settings,
            report,
            checkpoint,
            stages=("reset", "compile", "train", "validate", "fine_tune", "re_evaluate"),
        )

    def run(self) -> TrialOutcome:
        training = self.settings.training
        traces = self.program.n_traces
        with self._stage("reset"):
            self.program.classifier.configure(self.settings.model)
            self.program.classifier.reset(self.seeds.weights)
            n_fixed = 0
            if self.embedding_start is not None:
                self.program.classifier.start_embedding(self.embedding_start)
                n_fixed = 1 if self.settings.model.freeze_vectors else 0
            if self.program.classifier.weighs_tokens:
                self.program.classifier.weigh_tokens(self.data.token_weights)
            if n_fixed:
                self.program.keep()  # an epoch's best weights are kept above the frozen groups
            self.course.resume(self.program.load_state)
        if self.course.phase != "fine_tune":
            self._phase(
                "train",
                first=1,
                epochs=training.epochs,
                rate=training.learning_rate,
                decay=1.0,
                frozen_depth=n_fixed,
            )
            self.program.restore()
        self._phase(
            "fine_tune",
            first=training.epochs + 1,
            epochs=training.fine_tune_epochs,
            rate=training.learning_rate * training.fine_tune_scale,
            decay=training.layer_decay,
            frozen_depth=max(n_fixed, self.settings.model.frozen_depth),
        )
        with self._stage("re_evaluate"):
            self.program.restore()
            selection = _evaluate(self.program, self.data.selection, self.data.classes)
            weights = self.program.classifier.weights()
        return self.course.outcome(
            selection,
            weights=weights,
            n_parameters=self.program.classifier.n_parameters,
            n_traces=self.program.n_traces - traces,
        )

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Measure a stage; what went into compiling stands apart."""
        started, compiling = time.perf_counter(), self.program.seconds_compiling
        yield
        compiling = self.program.seconds_compiling - compiling
        self.course.seconds["compile"] += compiling
        self.course.seconds[name] += time.perf_counter() - started - compiling

    def _phase(
        self, name: str, *, first: int, epochs: int, rate: float, decay: float, frozen_depth: int
    ) -> None:
        """Run the epochs `first`, `first + 1`, … until patience ends or `epochs` are done."""
        if epochs == 0:
            return
        settings = self.settings
        n_groups = len(self.program.classifier.group_names)
        momentum = 1.0 if settings.training.embedding_updates == "dense" else 0.0
        hyperparameters = Hyperparameters(
            rates=discriminative_learning_rates(rate, decay=decay, n_groups=n_groups),
            l1=settings.regularization.l1,
            l2=settings.regularization.l2,
            dropout=settings.model.dropout,
            token_dropout=settings.model.token_dropout,
            label_smoothing=settings.training.label_smoothing,
            focal_gamma=settings.training.focal_gamma,
            momentum=momentum,
            class_weights=class_weights(
                self.data.train_labels, len(self.data.classes), settings.training.class_weights
            ),
        ).tensors()
        if self.course.begins(name, first=first):
            self.program.adam.reset()

        def train(epoch: int) -> float:
            share_done = (epoch - first) / epochs, 1 / epochs
            with self._stage(name):
                return self._train_epoch(epoch, frozen_depth, hyperparameters, share_done)

        def validate(_: int) -> Scores:
            with self._stage("validate"):
                return _evaluate(self.program, self.data.validation, self.data.classes)

        self.course.run(
            last=first + epochs - 1,
            train=train,
            validate=validate,
            keep=lambda _: self.program.keep(frozen_depth=frozen_depth),
            state=self.program.state,
        )

    def _train_epoch(
        self,
        epoch: int,
        frozen_depth: int,
        hyperparameters: tuple[Any, Any, Any],
        share_done: tuple[float, float],
    ) -> float:
        """Train one epoch; `share_done` is the phase's share before it, and that of an epoch."""
        sequence = np.random.SeedSequence(self.seeds.order, spawn_key=(epoch,))
        training = self.settings.training
        sizes = [int(bucket.labels.shape[0]) for bucket in self.data.train]
        plan = plan_epoch(
            sizes,
            batch_size=training.batch_size,
            generator=np.random.default_rng(sequence),
            steps_min=training.steps_per_epoch_min,
        )
        total, n_steps = 0.0, 0
        rates, *others = hyperparameters
        n_all = sum(len(order) for order in plan.orders)
        for turn, (piece, batches) in enumerate(
            zip(plan.pieces, ahead(self._batches(epoch, plan, frozen_depth)), strict=True)
        ):
            # The rate falls from piece to piece, whatever the calls they are cut into.
            done = share_done[0] + share_done[1] * n_steps / n_all
            factor = 1.0 - done if training.schedule == "linear" else 1.0
            length = piece.stop - piece.start
            start = 0
            while start < length:
                self.stop_requested()
                stop = min(length, start + self._steps_per_call(piece.bucket, frozen_depth))
                began = time.perf_counter()
                traces = self.program.n_traces
                total += self.program.train(
                    batches,
                    start=start,
                    stop=stop,
                    frozen_depth=frozen_depth,
                    hyperparameters=(rates * np.float32(factor), *others),
                    dropout_seed=(self.seeds.dropout + 7_919 * epoch + turn) % 2**31,
                    is_last=n_steps + stop == n_all,
                )
                if traces == self.program.n_traces:  # a call that compiled says nothing
                    spent = (time.perf_counter() - began) / (stop - start)
                    self.program.seconds_per_step[piece.bucket, frozen_depth] = spent
                start = stop
            n_steps += length
            if not math.isfinite(total):
                raise TrialFailed(f"diverged: the loss is {total} in epoch {epoch}")
        return total / max(1, n_steps)

    def _batches(
        self, epoch: int, plan: EpochPlan, frozen_depth: int
    ) -> Iterator[Callable[[], Batches]]:
        """Give for each piece of the plan the call that makes its batches."""
        layout, batch_size = self.data.layout, self.settings.training.batch_size
        for turn, piece in enumerate(plan.pieces):
            steps = slice(piece.start, piece.stop)
            yield partial(
                make_batches,
                self.data.train[piece.bucket],
                plan.orders[piece.bucket][steps],
                plan.row_weights[piece.bucket][steps],
                vocabulary_size=layout.vocabulary_size,
                rows_max=layout.rows_max(piece.bucket, batch_size)
                if self.program.touches_rows(frozen_depth)
                else None,
                change=self._change(epoch, turn),
            )

    def _change(
        self, epoch: int, turn: int
    ) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None:
        """Give what changes the texts of one piece of an epoch; None without augmentation."""
        if self.replacements is None:
            return None
        sequence = np.random.SeedSequence(self.seeds.order, spawn_key=(epoch, turn, AUGMENTATION))
        return partial(
            augment,
            settings=self.settings.augmentation,
            tables=self.replacements,
            generator=np.random.default_rng(sequence),
        )

    def _steps_per_call(self, bucket: int, frozen_depth: int) -> int:
        seconds = self.program.seconds_per_step.get((bucket, frozen_depth))
        return 2 if seconds is None else max(1, int(SECONDS_PER_CALL / max(seconds, 1e-6)))


def _evaluate(program: Program, part: EvaluationPart, classes: Sequence[str]) -> Scores:
    probabilities = program.probabilities(part.calls, len(part.labels))
    if not np.isfinite(probabilities).all():
        raise TrialFailed("diverged: the predictions are not finite")
    predicted = probabilities.argmax(axis=1).astype(np.int32)
    return score(part.labels, predicted, classes, probabilities=probabilities)


def predict_probabilities(
    settings: Settings,
    weights: Mapping[str, npt.NDArray[np.float32]],
    texts: EncodedTexts,
    *,
    edges: Sequence[int],
    vocabulary_size: int,
    n_classes: int,
) -> npt.NDArray[np.float32]:
    """Predict texts with stored weights, (n, n_classes) float32, rows adding up to 1."""
    shape = model_shape(settings.model, vocabulary_size=vocabulary_size, n_classes=n_classes)
    program = program_for(shape)
    program.classifier.configure(settings.model)
    program.classifier.load(weights)
    return program.probabilities(prediction_calls(texts, edges), len(texts.lengths))
