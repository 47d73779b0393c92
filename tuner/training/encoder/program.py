"""An encoder with its head, its optimizer and its compiled functions, reused by all trials."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.config import ModelSettings, TrainingSettings
from tuner.errors import CheckpointError
from tuner.models.pretrained import Checkpoint
from tuner.models.pretrained.network import EncoderNetwork, Hiding
from tuner.records import StopRequested
from tuner.training.adam import Adam
from tuner.training.encoder.adam import EncoderAdam
from tuner.training.encoder.passes import Passes
from tuner.training.encoder.step import MicroBatch, StepNumbers
from tuner.training.encoder.texts import EncoderTexts
from tuner.training.loss import cross_entropy

__all__ = ["EncoderProgram", "encoder_program"]

WORDS = "embedding/word"
WORD_IDS = "embedding/word_ids"


class EncoderProgram:
    """One network that trials reset in place.

    What a trial has changed is put back from the checkpoint before the next one begins.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        n_classes: int,
        model: ModelSettings,
        training: TrainingSettings,
    ) -> None:
        self.checkpoint = checkpoint
        self.network = EncoderNetwork(
            checkpoint.architecture,
            n_classes=n_classes,
            pooling=model.pooling,
            head_width=model.head_width,
        )
        self._dtype = tf.bfloat16 if training.precision == "bfloat16" else tf.float32
        self.passes = Passes(self.network, self._dtype)
        self.n_traces = 0
        self._adam = EncoderAdam()
        self._head = [
            (name, variable, group)
            for name, (variable, group) in self.network.variables(
                lowest=self.network.n_groups
            ).items()
        ]
        self._probe_adam = Adam(self._head)
        self._probe = tf.function(self._probe_steps, autograph=False, reduce_retracing=True)
        self._gradients: dict[int, Any] = {}
        self._lowest_changed = 0  # nothing has been read yet
        self._words_of: str | None = None

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
        if self._lowest_changed < self.n_groups:
            self.network.assign(self.checkpoint.weights, lowest=self._lowest_changed)
        if self._lowest_changed == 0 or self._words_of != texts.key:
            self.network.words.assign(self.checkpoint.read_words(texts.vocabulary))
            self._words_of = texts.key
        self._lowest_changed = self.n_groups
        self.network.reset_head(seed)

    def trained(self, texts: EncoderTexts, *, cut: int) -> dict[str, npt.NDArray[Any]]:
        """Copy out the weights from the cut up; all others are the checkpoint's."""
        weights = {
            name: variable.numpy()
            for name, (variable, _) in self.network.variables(lowest=cut).items()
        }
        if cut == 0:
            weights[WORDS] = self.network.words.numpy()
            weights[WORD_IDS] = texts.vocabulary.astype(np.float32)
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
        unknown = set(weights) - set(variables) - {WORDS, WORD_IDS}
        if unknown:
            raise CheckpointError(f"weights: {min(unknown)!r} is no weight of this encoder.")
        groups = [variables[name][1] for name in weights if name in variables]
        cut = min(groups, default=self.n_groups)
        self._lowest_changed = cut
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
        if WORDS not in weights or WORD_IDS not in weights:
            raise CheckpointError(f"weights: {WORDS!r} is missing.")
        trained = weights[WORD_IDS].astype(np.int32)
        words = self.network.words.numpy()
        _, here, there = np.intersect1d(texts.vocabulary, trained, return_indices=True)
        words[here] = weights[WORDS][there]
        self.network.words.assign(words)

    def state(self, texts: EncoderTexts, *, cut: int) -> dict[str, npt.NDArray[Any]]:
        """Copy out the weights from the cut up and the optimizers' moments."""
        parts = {
            "weights": self.trained(texts, cut=cut),
            "adam": self._adam.moments(),
            "probe": self._probe_adam.moments(),
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
        self._probe_adam.load(parts["probe"])

    # -- training -----------------------------------------------------------------------------

    def begin_phase(self, *, cut: int, anchored: bool) -> None:
        """Forget all moments and make those of the groups from the cut up."""
        self._probe_adam.reset()
        self._adam.prepare(self._trainable(cut), self.checkpoint.weights if anchored else {})

    def probe(
        self,
        features: Any,
        labels: Any,
        order: npt.NDArray[np.int32],
        row_weights: npt.NDArray[np.float32],
        *,
        numbers: StepNumbers,
        factor: float,
        seed: int,
    ) -> float:
        """Train the head alone on pooled features and give the sum of the steps' losses.

        Parameters
        ----------
        features, labels
            Tensors (n, width) float32 and (n,) int32.
        order, row_weights
            (n_steps, batch): positions, and 0.0 for filling.
        factor
            Share of the rate that these steps take.
        """
        loss = self._probe(
            features,
            labels,
            tf.constant(order),
            tf.constant(row_weights),
            tf.constant(numbers.rates[-1] * factor, tf.float32),
            tf.constant(numbers.scalars()),
            tf.constant(numbers.class_weights),
            tf.constant(seed, tf.int32),
        )
        return float(loss.numpy())

    def _probe_steps(
        self,
        features: Any,
        labels: Any,
        order: Any,
        row_weights: Any,
        rate: Any,
        scalars: Any,
        class_weights: Any,
        seed: Any,
    ) -> Any:
        self.n_traces += 1  # runs while tracing only
        l1, l2, dropout, _, label_smoothing, focal_gamma = tf.unstack(scalars)
        rates = tf.fill([self.n_groups + 1], rate)

        def one_step(step: Any, total: Any) -> tuple[Any, Any]:
            rows = order[step]
            hiding = Hiding(0.0, dropout, tf.stack([seed, step]))
            with tf.GradientTape() as tape:
                loss = cross_entropy(
                    self.network.head(tf.gather(features, rows), hiding),
                    tf.gather(labels, rows),
                    row_weights=row_weights[step],
                    class_weights=class_weights,
                    label_smoothing=label_smoothing,
                    focal_gamma=focal_gamma,
                )
            gradients = tape.gradient(loss, [variable for _, variable, _ in self._head])
            self._probe_adam.apply(self._head, gradients, rates=rates, l1=l1, l2=l2)
            return step + 1, total + loss

        _, total = tf.while_loop(
            lambda step, _: step < tf.shape(order)[0],
            one_step,
            (tf.constant(0), tf.constant(0.0)),
        )
        return total

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
            partial, found = self._gradients_at(cut)(
                tf.constant(part.values),
                tf.constant(part.lengths),
                tf.constant(part.labels),
                tf.constant(total_weight, tf.float32),
                tf.constant(numbers.scalars()),
                tf.constant(numbers.class_weights),
                tf.constant([seed, number], tf.int32),
            )
            loss += float(partial.numpy())
            gradients = {
                name: gradient if number == 0 else gradients[name] + gradient
                for name, gradient in found.items()
            }
        self._lowest_changed = min(self._lowest_changed, cut)
        self._adam.apply(
            self._trainable(cut),
            gradients,
            rates=numbers.rates * np.float32(factor),
            l1=numbers.l1,
            l2=numbers.l2,
            l2_sp=numbers.l2_sp,
        )
        return loss

    def _trainable(self, cut: int) -> dict[str, tuple[Any, int]]:
        variables = self.network.variables(lowest=cut)
        return variables | ({WORDS: (self.network.words, 0)} if cut == 0 else {})

    def _gradients_at(self, cut: int) -> Any:
        if cut not in self._gradients:
            self._gradients[cut] = tf.function(
                lambda *inputs: self._loss_and_gradients(cut, *inputs),
                autograph=False,
                reduce_retracing=True,
            )
        return self._gradients[cut]

    def _loss_and_gradients(
        self,
        cut: int,
        values: Any,
        lengths: Any,
        labels: Any,
        total_weight: Any,
        scalars: Any,
        class_weights: Any,
        seed: Any,
    ) -> tuple[Any, dict[str, Any]]:
        self.n_traces += 1  # runs while tracing only
        _, _, dropout, encoder_dropout, label_smoothing, focal_gamma = tf.unstack(scalars)
        hiding = Hiding(encoder_dropout, dropout, seed)
        watched = {name: variable for name, (variable, _) in self._trainable(cut).items()}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            flowing = values
            if cut == 0:
                del watched[WORDS]
                flowing = watched[WORDS] = tf.gather(self.network.words, values)
            tape.watch(list(watched.values()))
            for number in range(cut, self.n_groups):
                flowing = (
                    self.network.embed(flowing, hiding)
                    if number == 0
                    else self.network.group(
                        number, tf.cast(flowing, tf.float32), lengths, hiding, dtype=self._dtype
                    )
                )
            if cut < self.n_groups:  # else features, pooled already
                flowing = self.network.pool(flowing, lengths)
            logits = self.network.head(flowing, hiding)
            weights = tf.gather(class_weights, labels)
            loss = cross_entropy(
                logits,
                labels,
                row_weights=tf.ones_like(weights),
                class_weights=class_weights,
                label_smoothing=label_smoothing,
                focal_gamma=focal_gamma,
            ) * (tf.reduce_sum(weights) / total_weight)
        gradients = dict(zip(watched, tape.gradient(loss, list(watched.values())), strict=True))
        if cut == 0:
            gradients[WORDS] = tf.math.unsorted_segment_sum(
                gradients[WORDS], values, tf.shape(self.network.words)[0]
            )
        return loss, gradients


_KEPT = 2
_programs: OrderedDict[tuple[object, ...], EncoderProgram] = OrderedDict()


def encoder_program(
    checkpoint: Checkpoint,
    *,
    n_classes: int,
    model: ModelSettings,
    training: TrainingSettings,
) -> EncoderProgram:
    """Give the program of these shapes, the same one to every trial of the process.

    Two are kept, so that searching shapes does not fill the memory.
    """
    key = (checkpoint.digest, n_classes, model.pooling, model.head_width, training.precision)
    program = _programs.pop(key, None) or EncoderProgram(
        checkpoint, n_classes=n_classes, model=model, training=training
    )
    _programs[key] = program
    while len(_programs) > _KEPT:
        _programs.popitem(last=False)
    return program
