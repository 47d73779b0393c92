"""The two phases of a trial on a pretrained encoder: probe, then fine-tune from the cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.records import Checkpoint, Report, Scores, StopRequested, TrialOutcome, TrialSeeds
from tuner.training.course import Course
from tuner.training.encoder.data import EncoderData, LabelledRows
from tuner.training.encoder.epochs import EncoderEpochs
from tuner.training.encoder.prediction import predict_rows
from tuner.training.encoder.prefix import FrozenPrefix
from tuner.training.encoder.program import encoder_program
from tuner.training.encoder.schedule import cut_of_epoch
from tuner.training.encoder.step import StepNumbers
from tuner.training.loss import class_weights
from tuner.training.metrics import score
from tuner.training.rates import discriminative_learning_rates

__all__ = ["fit_encoder"]


def fit_encoder(
    settings: Settings,
    data: EncoderData,
    *,
    seeds: TrialSeeds,
    report: Report,
    stop_requested: StopRequested,
    checkpoint: Checkpoint | None = None,
    prepare_seconds: float = 0.0,
) -> TrialOutcome:
    """Run one trial.

    Phase one trains the head on the untouched checkpoint's pooled features. Phase two opens the
    groups above `model.frozen_depth`, from the probe's best weights: linear probing, then
    fine-tuning (Kumar et al. 2022, arXiv:2202.10054). Groups below never differ from the
    checkpoint. `prepare_seconds` is what the trial has taken before.

    Raises
    ------
    TrialFailed
        If the loss or the predictions are no longer finite, or memory runs out.
    """
    try:
        return _EncoderTrial(
            settings, data, seeds, report, stop_requested, checkpoint, prepare_seconds
        ).run()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise TrialFailed(
            "out of memory: try training.encoder_micro_batch_size=1, a smaller "
            "features.max_tokens, or a larger model.frozen_depth"
        ) from error


class _EncoderTrial:
    """The state of one run of the two phases."""

    def __init__(
        self,
        settings: Settings,
        data: EncoderData,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None = None,
        prepare_seconds: float = 0.0,
    ) -> None:
        self.settings = settings
        self.data = data
        self.seeds = seeds
        self.stop_requested = stop_requested
        self.program = encoder_program(
            data.texts.checkpoint,
            n_classes=len(data.classes),
            model=settings.model,
            training=settings.training,
        )
        self.prefix = FrozenPrefix(data.texts, self.program.passes, data.cache)
        self.epochs = EncoderEpochs(
            self.program, self.prefix, settings, data, seeds, stop_requested
        )
        self.course = Course(
            settings,
            report,
            checkpoint,
            compiling=self.program.compiling,
            prepare_seconds=prepare_seconds,
            stages=("prepare", "prefix", "train", "validate", "fine_tune", "re_evaluate"),
        )
        self.best_weights: Mapping[str, npt.NDArray[Any]] = {}

    def run(self) -> TrialOutcome:
        with self.course.stage("prepare"):
            self.program.reset(self.data.texts, seed=self.seeds.weights)
            arrays = self.course.resume()
        if self.course.phase == "fine_tune":
            with self.course.stage("prefix"):  # while all groups hold the checkpoint's weights
                self._prepare_prefix()
        if arrays is not None:
            with self.course.stage("prepare"):
                self._load_state(arrays)
        if self.course.phase != "fine_tune":
            self._probe()
            self.program.load(self.best_weights, self.data.texts)
        self._fine_tune()
        with self.course.stage("re_evaluate"):
            cut = self.program.load(self.best_weights, self.data.texts)
            selection = self._scores(self.data.selection, cut)
        return self.course.outcome(
            selection,
            weights=self.best_weights,
            n_parameters=self.program.n_parameters,
        )

    def _state(self) -> dict[str, npt.NDArray[Any]]:
        cut = self._top if self.course.phase == "train" else self.settings.model.frozen_depth
        kept = {f"kept/{name}": value for name, value in self.best_weights.items()}
        return kept | self.program.state(self.data.texts, cut=cut)

    def _load_state(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.best_weights = {
            name.removeprefix("kept/"): value
            for name, value in arrays.items()
            if name.startswith("kept/")
        }
        self.program.load_state(
            {name: value for name, value in arrays.items() if not name.startswith("kept/")},
            self.data.texts,
            anchored=self.settings.regularization.l2_sp > 0,
        )

    # -- phase one ----------------------------------------------------------------------------

    def _probe(self) -> None:
        training = self.settings.training
        with self.course.stage("prefix"):
            features = self.prefix.pooled(
                self.settings.model.pooling, stop_requested=self.stop_requested
            )[self.data.train.rows]
        if self.course.begins("train", first=1):
            self.program.begin_phase(cut=self._top, anchored=False)
        inputs = tf.constant(features), tf.constant(self.data.train.labels)
        numbers = self._numbers(training.learning_rate)

        def train(epoch: int) -> float:
            with self.course.stage("train"):
                return self.epochs.probe(epoch, inputs, numbers)

        self._run(last=training.epochs, train=train, cut_of=lambda _: self._top)

    # -- phase two ----------------------------------------------------------------------------

    def _fine_tune(self) -> None:
        settings, training = self.settings, self.settings.training
        n_epochs = training.fine_tune_epochs
        if n_epochs == 0:
            return
        with self.course.stage("prefix"):
            self._prepare_prefix()
        if self.course.begins("fine_tune", first=training.epochs + 1):
            self.program.begin_phase(
                cut=settings.model.frozen_depth, anchored=settings.regularization.l2_sp > 0
            )
        numbers = self._numbers(training.learning_rate * training.fine_tune_scale)

        def train(epoch: int) -> float:
            turn = epoch - training.epochs
            with self.course.stage("fine_tune"):
                return self.epochs.fine_tune(turn, self._cut_of(turn), numbers)

        self._run(
            last=training.epochs + n_epochs,
            train=train,
            cut_of=lambda epoch: self._cut_of(epoch - training.epochs),
        )

    def _cut_of(self, turn: int) -> int:
        """Give the lowest group that trains in an epoch of phase two, from 1."""
        depth, training = self.settings.model.frozen_depth, self.settings.training
        if not training.gradual_unfreezing:
            return depth
        return cut_of_epoch(
            turn, epochs=training.fine_tune_epochs, frozen_depth=depth, n_groups=self._top
        )

    def _prepare_prefix(self) -> None:
        """Have at hand what the turns still to come start from."""
        training = self.settings.training
        last = int(self.course.history[-1]["epoch"]) if self.course.history else 0
        done = max(0, last - training.epochs)
        cuts = {self._cut_of(turn) for turn in range(done + 1, training.fine_tune_epochs + 1)}
        for cut in sorted(cuts - {self._top}):
            self.prefix.prepare(cut, stop_requested=self.stop_requested)

    # -- both ---------------------------------------------------------------------------------

    @property
    def _top(self) -> int:
        return self.program.n_groups

    def _run(
        self, *, last: int, train: Callable[[int], float], cut_of: Callable[[int], int]
    ) -> None:
        def validate(epoch: int) -> Scores:
            with self.course.stage("validate"):
                return self._scores(self.data.validation, cut_of(epoch))

        def keep(epoch: int) -> None:
            self.best_weights = self.program.trained(self.data.texts, cut=cut_of(epoch))

        self.course.run(last=last, train=train, validate=validate, keep=keep, state=self._state)

    def _scores(self, part: LabelledRows, cut: int) -> Scores:
        probabilities = predict_rows(
            self.program, self.prefix, part.rows, cut=cut, stop_requested=self.stop_requested
        )
        if not np.isfinite(probabilities).all():
            raise TrialFailed("diverged: the predictions are not finite")
        predicted = probabilities.argmax(axis=1).astype(np.int32)
        return score(part.labels, predicted, self.data.classes, probabilities=probabilities)

    def _numbers(self, head_rate: float) -> StepNumbers:
        settings, training = self.settings, self.settings.training
        encoder = discriminative_learning_rates(
            training.encoder_learning_rate, decay=training.layer_decay, n_groups=self._top
        )
        return StepNumbers(
            rates=np.array([*encoder, head_rate], np.float32),
            l1=settings.regularization.l1,
            l2=settings.regularization.l2,
            l2_sp=settings.regularization.l2_sp,
            dropout=settings.model.dropout,
            encoder_dropout=settings.model.encoder_dropout,
            label_smoothing=training.label_smoothing,
            focal_gamma=training.focal_gamma,
            class_weights=class_weights(
                self.data.train.labels, len(self.data.classes), training.class_weights
            ),
        )
