"""The network that guesses hidden pieces, its optimizer, and the compiled steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.pretrained.architecture import Architecture
from tuner.models.pretrained.network import EncoderNetwork
from tuner.training.masked_language.masking import MaskedBatch

__all__ = ["WORDS", "MaskedLanguageProgram"]

WORDS = "embedding/word"
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6  # Devlin et al. 2019, A.2, and their optimization.py
DECAY, CLIP_NORM = 0.01, 1.0
_SPREAD = 0.02  # of initial weights
_STEP = "step"


class MaskedLanguageProgram:
    """An encoder with a head for hidden pieces, and AdamW for both.

    The head is BERT's: a layer with GELU and normalisation, then a product with the word
    embeddings (Devlin et al. 2019; Press and Wolf 2017, arXiv:1608.05859) and a bias. There is
    no dropout, which costs accuracy here (Lan et al. 2020, arXiv:1909.11942, section 4.8).

    Parameters
    ----------
    architecture
        A BERT's: one group a block, one width.
    vocabulary_size
        Pieces there are.
    seed
        Of the initial weights: normal, 0.02.
    """

    def __init__(self, architecture: Architecture, *, vocabulary_size: int, seed: int) -> None:
        self._network = EncoderNetwork(architecture, n_classes=1, pooling="mean", head_width=None)
        width = architecture.width
        encoder = {
            name: variable
            for name, (variable, group) in self._network.variables(lowest=0).items()
            if group < self._network.n_groups  # its classifier is not used
        }
        head = {
            name: tf.Variable(np.zeros(shape, np.float32), name=name)
            for name, shape in (
                ("masked/transform/kernel", (width, width)),
                ("masked/transform/bias", (width,)),
                ("masked/norm/scale", (width,)),
                ("masked/norm/offset", (width,)),
                ("masked/bias", (vocabulary_size,)),
            )
        }
        self._variables: dict[str, Any] = {WORDS: self._network.words, **encoder, **head}
        generator = np.random.default_rng(seed)
        for name, variable in self._variables.items():
            shape = (vocabulary_size, width) if name == WORDS else tuple(variable.shape)
            variable.assign(_initial(name, shape, generator))
        self._moments = {
            name: (tf.Variable(tf.zeros_like(variable)), tf.Variable(tf.zeros_like(variable)))
            for name, variable in self._variables.items()
        }
        self._step = tf.Variable(0.0, trainable=False)
        # Not jit_compile: XLA takes the same time a step here and compiles three times as long.
        # One signature serves all lengths, batch sizes and numbers of steps.
        batch = [
            tf.TensorSpec([None] * n_axes, dtype)
            for n_axes, dtype in (
                (2, tf.int32), (1, tf.int32), (1, tf.int32), (1, tf.int32), (1, tf.float32)
            )
        ]  # fmt: skip
        steps = [tf.TensorSpec([None, *spec.shape], spec.dtype) for spec in batch]
        self._evaluate = tf.function(self._guess, input_signature=batch, autograph=False)
        self._train = tf.function(
            self._steps,
            input_signature=[*steps, tf.TensorSpec([None], tf.float32)],
            autograph=False,
        )

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copy all weights out, by name."""
        return {name: variable.numpy() for name, variable in self._variables.items()}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Copy out what training goes on from: weights, moments, step."""
        found = {_STEP: np.array([self._step.numpy()]), **self.weights()}
        for name, (first, second) in self._moments.items():
            found |= {f"{name}/first": first.numpy(), f"{name}/second": second.numpy()}
        return found

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Set in place what `state` gave."""
        self._step.assign(state[_STEP][0])
        for name, variable in self._variables.items():
            variable.assign(state[name])
            first, second = self._moments[name]
            first.assign(state[f"{name}/first"])
            second.assign(state[f"{name}/second"])

    def train(self, batches: Sequence[MaskedBatch], rates: Sequence[float]) -> float:
        """Take a step for every batch, all of one shape, and give the sum of the losses.

        Parameters
        ----------
        batches, rates
            Of the same length; the rate is AdamW's, at its step.
        """
        stacked = [
            np.stack([getattr(batch, name) for batch in batches])
            for name in ("ids", "lengths", "places", "targets", "counts")
        ]
        return float(self._train(*stacked, np.array(rates, np.float32)).numpy())

    def evaluate(self, batch: MaskedBatch) -> tuple[float, float, float]:
        """Give the sum of the losses, how many guesses are right, and how many there are."""
        loss, right = self._evaluate(
            batch.ids, batch.lengths, batch.places, batch.targets, batch.counts
        )
        return float(loss.numpy()), float(right.numpy()), float(batch.counts.sum())

    def _guess(
        self, ids: Any, lengths: Any, places: Any, targets: Any, counts: Any
    ) -> tuple[Any, Any]:
        network = self._network
        values = network.embed(tf.gather(network.words, ids))
        for number in range(1, network.n_groups):
            values = network.group(number, values, lengths)
        width = network.architecture.width
        hidden = tf.gather(tf.reshape(values, [-1, width]), places)
        hidden = tf.matmul(hidden, self._variables["masked/transform/kernel"])
        hidden = tf.nn.gelu(hidden + self._variables["masked/transform/bias"], approximate=False)
        hidden = self._normalize(hidden)
        logits = (
            tf.matmul(hidden, network.words, transpose_b=True) + self._variables["masked/bias"]
        )
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        is_right = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), targets)
        return (
            tf.reduce_sum(losses * counts),
            tf.reduce_sum(tf.cast(is_right, tf.float32) * counts),
        )

    def _normalize(self, values: Any) -> Any:
        mean, variance = tf.nn.moments(values, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(  # the formula; the moments are a layer's
            values,
            mean,
            variance,
            self._variables["masked/norm/offset"],
            self._variables["masked/norm/scale"],
            self._network.architecture.epsilon,
        )

    def _steps(
        self, ids: Any, lengths: Any, places: Any, targets: Any, counts: Any, rates: Any
    ) -> Any:
        def one_step(step: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                loss, _ = self._guess(
                    ids[step], lengths[step], places[step], targets[step], counts[step]
                )
                loss /= tf.maximum(tf.reduce_sum(counts[step]), 1.0)
            gradients = tape.gradient(loss, list(self._variables.values()))
            self._apply([tf.convert_to_tensor(each) for each in gradients], rates[step])
            return step + 1, total + loss

        _, total = tf.while_loop(
            lambda step, _: step < tf.shape(rates)[0],
            one_step,
            (tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return total

    def _apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """Take a step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2)."""
        step = self._step.assign_add(1.0)
        clipped, _ = tf.clip_by_global_norm(gradients, CLIP_NORM)
        for name, gradient in zip(self._variables, clipped, strict=True):
            variable = self._variables[name]
            first, second = self._moments[name]
            if name == WORDS or name.endswith("/kernel"):
                variable.assign_sub(rate * DECAY * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=tf.pow(BETA_1, step),
                beta2_power=tf.pow(BETA_2, step),
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )


def _initial(
    name: str, shape: Sequence[int], generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    if name.endswith("/scale"):
        return np.ones(shape, np.float32)
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    return generator.normal(0.0, _SPREAD, shape).astype(np.float32)
