"""An encoder with its head, its optimizer and its compiled functions, reused by all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.config import ModelSettings, TrainingSettings
from tuner.errors import CheckpointError
from tuner.models.pretrained import Checkpoint
from tuner.models.pretrained.network import EncoderNetwork
from tuner.recent import Recent
from tuner.records import StopRequested
from tuner.training.compiling import Compiling
from tuner.training.encoder.adam import EncoderAdam
from tuner.training.encoder.gradients import WORDS, CutGradients, trainable
from tuner.training.encoder.passes import Passes
from tuner.training.encoder.probe import HeadProbe
from tuner.training.encoder.step import MicroBatch, StepNumbers
from tuner.training.encoder.texts import EncoderTexts

__all__ = ["EncoderProgram", "encoder_program"]

_WORD_IDS = "embedding/word_ids"


class EncoderProgram:
    """One network that trials reset in place.

    What a trial has changed is put back from the checkpoint before the next one begins. Trials
    of another pooling, head width or precision share the encoder and what was compiled of it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        n_classes: int,
        model: ModelSettings,
    ) -> None:
        self.checkpoint = checkpoint
        self.network = EncoderNetwork(
            checkpoint.architecture,
            n_classes=n_classes,
            pooling=model.pooling,
            head_width=model.head_width,
        )
        self.compiling = Compiling(
            f"{model.backbone} {checkpoint.digest[:8]}, {n_classes} classes"
        )
        self.passes = Passes(self.network, self.compiling)
        self._gradients = CutGradients(self.network, self.compiling)
        self._probe = cache(lambda _: HeadProbe(self.network, self.compiling))
        self._adam = EncoderAdam()
        self._words_of: str | None = None

    def choose(self, model: ModelSettings, training: TrainingSettings) -> None:
        """Take a trial's pooling, head and precision."""
        self.network.choose(pooling=model.pooling, head_width=model.head_width)
        dtype = tf.bfloat16 if training.precision == "bfloat16" else tf.float32
        self.passes.dtype = self._gradients.dtype = dtype

    @property
    def probe(self) -> HeadProbe:
        """The head that is chosen, trained alone."""
        return self._probe(self.network.head_width)

    @property
    def n_groups(self) -> int:
        """Layer groups below the head."""
        return self.network.n_groups

    @property
    def n_parameters(self) -> int:
        """Count of the weights, word embeddings for the pieces in use alone."""
        variables = [v for v, _ in self.network.variables(lowest=0).values()]
        return sum(int(tf.size(v).numpy()) for v in (*variables, self.network.words))

    # -- weights ------------------------------------------------------------------------------

    def reset(self, texts: EncoderTexts, *, seed: int) -> None:
        """Put the checkpoint's weights back, have the texts' words at hand, draw a new head."""
        if self.passes.n_untouched < self.n_groups:
            self.network.assign(self.checkpoint.weights, lowest=self.passes.n_untouched)
        if self.passes.n_untouched == 0 or self._words_of != texts.key:
            self.network.words.assign(self.checkpoint.read_words(texts.vocabulary))
            self._words_of = texts.key
        self.passes.n_untouched = self.n_groups
        self.network.reset_head(seed)

    def trained(self, texts: EncoderTexts, *, cut: int) -> dict[str, npt.NDArray[Any]]:
        """Copy out the weights from the cut up; all others are the checkpoint's."""
        weights = {
            name: variable.numpy()
            for name, (variable, _) in self.network.variables(lowest=cut).items()
        }
        if cut == 0:
            weights[WORDS] = self.network.words.numpy()
            weights[_WORD_IDS] = texts.vocabulary.astype(np.float32)
        return weights

    def load(self, weights: Mapping[str, npt.NDArray[Any]], texts: EncoderTexts) -> int:
        """Put trained weights over the checkpoint's and give the cut they were trained from.

        Raises
        ------
        CheckpointError
            If a weight is unknown, missing, or of another shape.
        """
        self.reset(texts, seed=0)
        variables = self.network.variables(lowest=0)
        unknown = set(weights) - set(variables) - {WORDS, _WORD_IDS}
        if unknown:
            raise CheckpointError(f"weights: {min(unknown)!r} is no weight of this encoder.")
        groups = [variables[name][1] for name in weights if name in variables]
        cut = min(groups, default=self.n_groups)
        self.passes.n_untouched = cut
        for name, (variable, _) in self.network.variables(lowest=cut).items():
            if name not in weights:
                raise CheckpointError(f"weights: {name!r} is missing.")
            if tuple(weights[name].shape) != tuple(variable.shape):
                raise CheckpointError(
                    f"weights: {name!r} must have shape {tuple(variable.shape)}; "
                    f"got {tuple(weights[name].shape)}."
                )
            variable.assign(weights[name])
        if cut == 0:
            self._load_words(weights, texts)
        return cut

    def _load_words(self, weights: Mapping[str, npt.NDArray[Any]], texts: EncoderTexts) -> None:
        if WORDS not in weights or _WORD_IDS not in weights:
            raise CheckpointError(f"weights: {WORDS!r} is missing.")
        trained = weights[_WORD_IDS].astype(np.int32)
        words = self.network.words.numpy()
        _, here, there = np.intersect1d(texts.vocabulary, trained, return_indices=True)
        words[here] = weights[WORDS][there]
        self.network.words.assign(words)

    def state(self, texts: EncoderTexts, *, cut: int) -> dict[str, npt.NDArray[Any]]:
        """Copy out the weights from the cut up and the optimizers' moments."""
        parts = {
            "weights": self.trained(texts, cut=cut),
            "adam": self._adam.moments(),
            "probe": self.probe.moments(),
        }
        return {f"{part}/{name}": v for part, found in parts.items() for name, v in found.items()}

    def load_state(
        self, state: Mapping[str, npt.NDArray[Any]], texts: EncoderTexts, *, anchored: bool
    ) -> None:
        """Set in place what `state` gave."""
        parts: dict[str, dict[str, Any]] = {"weights": {}, "adam": {}, "probe": {}}
        for name, value in state.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        cut = self.load(parts["weights"], texts)
        self.begin_phase(cut=cut, anchored=anchored)
        self._adam.load(parts["adam"])
        self.probe.load(parts["probe"])

    # -- training -----------------------------------------------------------------------------

    def begin_phase(self, *, cut: int, anchored: bool) -> None:
        """Forget all moments and make those of the groups from the cut up."""
        self.probe.reset()
        self._adam.prepare(
            trainable(self.network, cut=cut), self.checkpoint.weights if anchored else {}
        )

    def step(
        self,
        parts: Sequence[MicroBatch],
        *,
        cut: int,
        numbers: StepNumbers,
        factor: float,
        seed: int,
        stop_requested: StopRequested,
    ) -> float:
        """Take one step from the cut up and give its loss.

        The gradients of the parts add up to that of the whole batch, so memory is bound by the
        largest part.
        """
        total_weight = sum(float(numbers.class_weights[part.labels].sum()) for part in parts)
        loss = 0.0
        gradients: dict[str, Any] = {}
        for number, part in enumerate(parts):
            stop_requested()
            partial, found = self._gradients.of(
                part, cut=cut, total_weight=total_weight, numbers=numbers, seed=(seed, number)
            )
            loss += partial
            gradients = {
                name: gradient if number == 0 else gradients[name] + gradient
                for name, gradient in found.items()
            }
        self.passes.n_untouched = min(self.passes.n_untouched, cut)
        self._adam.apply(
            trainable(self.network, cut=cut),
            gradients,
            rates=numbers.rates * np.float32(factor),
            l1=numbers.l1,
            l2=numbers.l2,
            l2_sp=numbers.l2_sp,
        )
        return loss


_programs: Recent[tuple[object, ...], EncoderProgram] = Recent(2)


def encoder_program(
    checkpoint: Checkpoint,
    *,
    n_classes: int,
    model: ModelSettings,
    training: TrainingSettings,
) -> EncoderProgram:
    """Give the program of a checkpoint, the same one to every trial of the process.

    It has the pooling, head and precision of these settings until it is asked for with others.
    Two are kept, so that searching checkpoints does not fill the memory.
    """
    program = _programs.obtain(
        (checkpoint.digest, n_classes),
        lambda: EncoderProgram(checkpoint, n_classes=n_classes, model=model),
    )
    program.choose(model, training)
    return program
