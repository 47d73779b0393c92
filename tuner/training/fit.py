"""Train, validate, fine-tune, re-evaluate: the two phases of a trial, as one straight line."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.models import model_shape, token_dropout
from tuner.models.layers import EmbeddingRows
from tuner.records import (
    Checkpoint,
    Report,
    Scores,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)
from tuner.training.augment import ReplacementTables
from tuner.training.course import Course
from tuner.training.data import EvaluationPart, FitData
from tuner.training.epochs import Epochs
from tuner.training.loss import class_weights
from tuner.training.metrics import score
from tuner.training.program import program_for
from tuner.training.rates import discriminative_learning_rates
from tuner.training.steps import Hyperparameters

__all__ = ["fit"]


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
    prepare_seconds: float = 0.0,
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
        Called between compiled calls, of validation too; may raise to stop.
    embedding_start
        Rows of the embedding that do not start at random; None where `model.vectors` is "none".
    replacements
        What tokens of train may be replaced by; None where nothing is augmented.
    checkpoint
        Where the trial goes on from, and leaves its state after an epoch when that is due; the
        result is the same, bit for bit, as without.
    prepare_seconds
        What the trial has taken before.

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
            prepare_seconds,
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
        prepare_seconds: float,
    ) -> None:
        self.settings = settings
        self.data = data
        self.seeds = seeds
        self.embedding_start = embedding_start
        shape = model_shape(
            settings.model,
            vocabulary_size=data.layout.vocabulary_size,
            n_classes=len(data.classes),
        )
        self.program = program_for(shape)
        self.stop_requested = stop_requested
        self.epochs = Epochs(self.program, settings, data, seeds, stop_requested, replacements)
        self.course = Course(
            settings,
            report,
            checkpoint,
            compiling=self.program.compiling,
            prepare_seconds=prepare_seconds,
            stages=("reset", "train", "validate", "fine_tune", "re_evaluate"),
        )

    def run(self) -> TrialOutcome:
        training = self.settings.training
        with self.course.stage("reset"):
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
            arrays = self.course.resume()
            if arrays is not None:
                self.program.load_state(arrays)
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
        with self.course.stage("re_evaluate"):
            self.program.restore()
            selection = self._evaluate(self.data.selection)
            weights = self.program.classifier.weights()
        return self.course.outcome(
            selection,
            weights=weights,
            n_parameters=self.program.classifier.n_parameters_without(self.data.n_spare_rows),
        )

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
            token_dropout=token_dropout(settings.model),
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
            with self.course.stage(name):
                return self.epochs.train(
                    epoch,
                    frozen_depth=frozen_depth,
                    hyperparameters=hyperparameters,
                    share_done=share_done,
                )

        def validate(_: int) -> Scores:
            with self.course.stage("validate"):
                return self._evaluate(self.data.validation)

        self.course.run(
            last=first + epochs - 1,
            train=train,
            validate=validate,
            keep=lambda _: self.program.keep(frozen_depth=frozen_depth),
            state=self.program.state,
        )

    def _evaluate(self, part: EvaluationPart) -> Scores:
        probabilities = self.program.passes.probabilities(
            part.calls, len(part.labels), stop_requested=self.stop_requested
        )
        if not np.isfinite(probabilities).all():
            raise TrialFailed("diverged: the predictions are not finite")
        predicted = probabilities.argmax(axis=1).astype(np.int32)
        return score(part.labels, predicted, self.data.classes, probabilities=probabilities)
