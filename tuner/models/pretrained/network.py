"""The encoder itself as functions on plain variables, with a head on its pooled tokens.

Own functions in place of KerasHub's layers: dropout rates are tensors, a pass can start and end at
any layer group, and queries, keys and values come from one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.pretrained.architecture import Architecture

__all__ = ["HEAD", "POOLINGS", "EncoderNetwork", "Hiding", "Pooling"]

HEAD = "head"
Pooling = Literal["cls", "mean", "max"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
_MASKED = -1e9  # added to the logits of padding before the softmax


@dataclass(frozen=True)
class Hiding:
    """Dropout of one training step: scalar float32 rates and an int32 seed (2,).

    `None` in place of it means prediction: nothing is hidden.
    """

    encoder: Any
    head: Any
    seed: Any

    def hide(self, values: Any, rate: Any, *, place: int) -> Any:
        """Hide units at a rate and scale up the rest (Srivastava et al. 2014, JMLR 15)."""
        uniform = tf.random.stateless_uniform(
            tf.shape(values), self.seed + tf.constant([place, 0]), alg="philox"
        )
        kept = tf.cast(uniform >= rate, values.dtype)
        return values * kept / tf.cast(1.0 - rate, values.dtype)


class EncoderNetwork:
    """Variables of an encoder and its head, by layer group, and the passes through them.

    Parameters
    ----------
    architecture
        Sizes of the encoder.
    n_classes
        Columns of the logits.
    pooling
        How the tokens of a text become one vector: the first token's, the mean, the maximum.
    head_width
        Units of a hidden layer with tanh in the head, as BERT's pooler; None for a linear head.

    Both can be changed later, see `choose`.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        n_classes: int,
        pooling: Pooling,
        head_width: int | None,
    ) -> None:
        self.architecture = architecture
        self.n_classes = n_classes
        self.group_names = (*architecture.group_names, HEAD)
        self._variables: dict[str, Any] = {}
        self._group: dict[str, int] = {}
        self._heads: dict[int | None, dict[str, Any]] = {}  # by their width
        # Only the pieces that the texts at hand use have a row.
        self.words = tf.Variable(
            np.zeros((1, architecture.embedding_width), np.float32),
            shape=tf.TensorShape([None, architecture.embedding_width]),
            name="embedding/word",
        )
        for name, shape, group in _shapes(architecture):
            self._variables[name] = tf.Variable(np.zeros(shape, np.float32), name=name)
            self._group[name] = group
        self.choose(pooling=pooling, head_width=head_width)

    def choose(self, *, pooling: Pooling, head_width: int | None) -> None:
        """Pool so from here on, into the head of this width; the encoder stays as it is."""
        self.pooling = pooling
        self.head_width = head_width
        if head_width not in self._heads:
            self._heads[head_width] = {
                name: tf.Variable(np.zeros(shape, np.float32), name=name)
                for name, shape in _head_shapes(
                    self.architecture.width, self.n_classes, head_width
                )
            }
        self._head = self._heads[head_width]

    @property
    def n_groups(self) -> int:
        """Layer groups below the head."""
        return len(self.group_names) - 1

    def variables(self, *, lowest: int) -> dict[str, tuple[Any, int]]:
        """Give variable and group of all weights from a group up, word embeddings apart."""
        encoder = {
            name: (variable, self._group[name])
            for name, variable in self._variables.items()
            if self._group[name] >= lowest
        }
        return encoder | {name: (variable, self.n_groups) for name, variable in self._head.items()}

    def assign(self, weights: Mapping[str, npt.NDArray[np.float32]], *, lowest: int = 0) -> None:
        """Set the encoder's weights from a group up, in place."""
        for name, (variable, group) in self.variables(lowest=lowest).items():
            if group < self.n_groups:
                variable.assign(weights[name])

    def reset_head(self, seed: int) -> None:
        """Draw the head's weights (Glorot and Bengio 2010, uniform) and zero its biases."""
        generator = np.random.default_rng(seed)
        for variable, _ in self.variables(lowest=self.n_groups).values():
            shape = tuple(variable.shape)
            if len(shape) == 1:
                variable.assign(np.zeros(shape, np.float32))
                continue
            limit = np.sqrt(6.0 / sum(shape))
            variable.assign(generator.uniform(-limit, limit, shape).astype(np.float32))

    # -- passes -------------------------------------------------------------------------------

    def embed(self, words: Any, hiding: Hiding | None = None) -> Any:
        """Map word embeddings (batch, length, embedding_width) to (batch, length, width)."""
        position = self._variables["embedding/position"][: tf.shape(words)[1]]
        values = self._normalize(words + position, "embedding/norm")
        if hiding is not None:
            values = hiding.hide(values, hiding.encoder, place=0)
        if "embedding/projection/kernel" in self._variables:
            values = self._dense(values, "embedding/projection", tf.float32)
        return values

    def group(
        self,
        number: int,
        values: Any,
        lengths: Any,
        hiding: Hiding | None = None,
        *,
        dtype: Any = tf.float32,
    ) -> Any:
        """Run a layer group above the embedding; `number` counts from 1.

        Parameters
        ----------
        values
            (batch, length, width) float32.
        lengths
            Pieces per text, (batch,) int32; padding is not looked at.
        dtype
            Of the products and what flows between them; variables, residuals, normalisation and
            softmax stay in float32 (Micikevicius et al. 2018, arXiv:1710.03740, section 3.1).
        """
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])
        bias = tf.where(mask, 0.0, _MASKED)[:, None, None, :]
        for turn, block in enumerate(self.architecture.groups[number - 1]):
            values = self._block(
                block, values, bias, hiding, place=1_000 * number + 10 * turn, dtype=dtype
            )
        return values

    def pool(self, values: Any, lengths: Any, pooling: Pooling) -> Any:
        """Pool the tokens (batch, length, width) of each text into (batch, width) float32."""
        if pooling == "cls":
            return values[:, 0]
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])[..., None]
        if pooling == "max":
            return tf.reduce_max(tf.where(mask, values, _MASKED), axis=1)
        n_pieces = tf.cast(lengths, tf.float32)[:, None]
        return tf.reduce_sum(tf.where(mask, values, 0.0), axis=1) / n_pieces

    def head(self, features: Any, hiding: Hiding | None = None) -> Any:
        """Map pooled features (batch, width) to logits (batch, n_classes) float32."""
        if hiding is not None:
            features = hiding.hide(features, hiding.head, place=1)
        if self.head_width is not None:
            features = tf.tanh(self._affine(features, f"{HEAD}/hidden"))
            if hiding is not None:
                features = hiding.hide(features, hiding.head, place=2)
        return self._affine(features, f"{HEAD}/logits")

    def _affine(self, features: Any, name: str) -> Any:
        return tf.matmul(features, self._head[f"{name}/kernel"]) + self._head[f"{name}/bias"]

    # -- inside a block -----------------------------------------------------------------------

    def _block(
        self,
        block: int,
        values: Any,
        bias: Any,
        hiding: Hiding | None,
        *,
        place: int,
        dtype: Any,
    ) -> Any:
        name = f"block_{block}"
        attended = self._dense(self._attend(values, bias, name, dtype), f"{name}/output", dtype)
        if hiding is not None:
            attended = hiding.hide(attended, hiding.encoder, place=place)
        values = self._normalize(values + tf.cast(attended, tf.float32), f"{name}/attention_norm")
        inner = self._activate(self._dense(values, f"{name}/expand", dtype))
        outer = self._dense(inner, f"{name}/contract", dtype)
        if hiding is not None:
            outer = hiding.hide(outer, hiding.encoder, place=place + 1)
        return self._normalize(values + tf.cast(outer, tf.float32), f"{name}/output_norm")

    def _attend(self, values: Any, bias: Any, name: str, dtype: Any) -> Any:
        """Scaled dot-product attention (Vaswani et al. 2017, section 3.2)."""
        width, n_heads = self.architecture.width, self.architecture.n_heads
        shape = tf.shape(values)
        projected = self._dense(values, f"{name}/attention", dtype)
        split = tf.reshape(projected, [shape[0], shape[1], 3, n_heads, width // n_heads])
        query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        query *= tf.cast((width // n_heads) ** -0.5, query.dtype)
        logits = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32) + bias
        attention = tf.cast(tf.nn.softmax(logits), value.dtype)
        attended = tf.transpose(tf.matmul(attention, value), [0, 2, 1, 3])
        return tf.reshape(attended, [shape[0], shape[1], width])

    def _dense(self, values: Any, name: str, dtype: Any) -> Any:
        kernel = tf.cast(self._variables[f"{name}/kernel"], dtype)
        bias = tf.cast(self._variables[f"{name}/bias"], dtype)
        shape = tf.shape(values)
        flat = tf.reshape(tf.cast(values, dtype), [-1, kernel.shape[0]])
        product = tf.nn.bias_add(tf.matmul(flat, kernel), bias)
        return tf.reshape(product, [shape[0], shape[1], kernel.shape[1]])

    def _activate(self, values: Any) -> Any:
        if self.architecture.activation == "relu":
            return tf.nn.relu(values)
        return tf.nn.gelu(values, approximate=self.architecture.activation == "gelu_tanh")

    def _normalize(self, values: Any, name: str) -> Any:
        """Layer normalisation (Ba et al. 2016), in float32."""
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        scale = self._variables[f"{name}/scale"]
        offset = self._variables[f"{name}/offset"]
        return centred * tf.math.rsqrt(variance + self.architecture.epsilon) * scale + offset


def _shapes(architecture: Architecture) -> list[tuple[str, tuple[int, ...], int]]:
    """Give name, shape and layer group of the encoder's variables but the word embeddings."""
    width, inner = architecture.width, architecture.feed_forward_width
    embedded = architecture.embedding_width
    shapes: list[tuple[str, tuple[int, ...], int]] = [
        ("embedding/position", (architecture.n_positions, embedded), 0),
        ("embedding/norm/scale", (embedded,), 0),
        ("embedding/norm/offset", (embedded,), 0),
    ]
    if architecture.has_projection:
        shapes += [
            ("embedding/projection/kernel", (embedded, width), 0),
            ("embedding/projection/bias", (width,), 0),
        ]
    group_of = {
        block: number
        for number, group in enumerate(architecture.groups, start=1)
        for block in group
    }
    for block, group in sorted(group_of.items()):
        shapes += [
            (f"block_{block}/{name}", shape, group)
            for name, shape in (
                ("attention/kernel", (width, 3 * width)),
                ("attention/bias", (3 * width,)),
                ("output/kernel", (width, width)),
                ("output/bias", (width,)),
                ("attention_norm/scale", (width,)),
                ("attention_norm/offset", (width,)),
                ("expand/kernel", (width, inner)),
                ("expand/bias", (inner,)),
                ("contract/kernel", (inner, width)),
                ("contract/bias", (width,)),
                ("output_norm/scale", (width,)),
                ("output_norm/offset", (width,)),
            )
        ]
    return shapes


def _head_shapes(
    width: int, n_classes: int, head_width: int | None
) -> list[tuple[str, tuple[int, ...]]]:
    """Give name and shape of the head's variables."""
    logits = [
        (f"{HEAD}/logits/kernel", (head_width or width, n_classes)),
        (f"{HEAD}/logits/bias", (n_classes,)),
    ]
    if head_width is None:
        return logits
    hidden = [
        (f"{HEAD}/hidden/kernel", (width, head_width)),
        (f"{HEAD}/hidden/bias", (head_width,)),
    ]
    return [*hidden, *logits]
