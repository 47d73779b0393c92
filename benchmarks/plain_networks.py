"""tuner's networks built from Keras's own layers, for the plain loop and KerasTuner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tuner.config import ModelSettings, Settings
from tuner.models import model_shape, token_dropout
from tuner.models.backbones.transformer import N_BLOCKS
from tuner.models.layers import head_count, sinusoids

Penalty = Callable[[], Any]


def build(settings: Settings, vocabulary_size: int, n_classes: int) -> Any:
    """Build the network of `model.backbone`; its `layers_from_the_input` are the layer groups."""
    model, penalties = settings.model, settings.regularization
    shape = model_shape(model, vocabulary_size=vocabulary_size, n_classes=n_classes)
    model = model.model_copy(update={"width": shape.width})

    def penalty() -> Any:
        return keras.regularizers.L1L2(penalties.l1, penalties.l2)

    token_ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(vocabulary_size, model.embedding_width)
    mask = Hidden(token_dropout(model))(token_ids)
    if model.backbone == "textcnn":  # its maximum is taken over hidden tokens too
        mask = [mask, Hidden(0.0)(token_ids)]
    features, groups = NETWORKS[model.backbone](embedding(token_ids), mask, model, penalty)
    features = keras.layers.Dropout(model.dropout)(features)
    logits = keras.layers.Dense(n_classes, kernel_regularizer=penalty())(features)
    network = keras.Model(token_ids, logits)
    network.layers_from_the_input = [[embedding], *groups]
    return network


def average(embedded: Any, mask: Any, model: ModelSettings, penalty: Penalty) -> tuple[Any, Any]:
    mean = MaskedMean(model.pooling_power)(embedded, mask)
    dense = keras.layers.Dense(model.width, "relu", kernel_regularizer=penalty())
    return dense(keras.layers.Dropout(model.dropout)(mean)), [[dense]]


def textcnn(embedded: Any, masks: Any, model: ModelSettings, penalty: Penalty) -> tuple[Any, Any]:
    mask, is_text = masks
    visible = Masked()(embedded, mask)
    convolutions = [
        keras.layers.Conv1D(
            model.width, size, padding="same", activation="relu", kernel_regularizer=penalty()
        )
        for size in model.kernel_sizes
    ]
    maxima = [MaskedMaximum()(convolution(visible), is_text) for convolution in convolutions]
    return keras.layers.concatenate(maxima), [convolutions]


def bigru(embedded: Any, mask: Any, model: ModelSettings, penalty: Penalty) -> tuple[Any, Any]:
    gru = keras.layers.Bidirectional(
        keras.layers.GRU(model.width, return_sequences=True, kernel_regularizer=penalty())
    )
    states = gru(keras.layers.Dropout(model.dropout)(embedded), mask=mask > 0)
    return MaskedMaximum()(states, mask), [[gru]]


def transformer(
    embedded: Any, mask: Any, model: ModelSettings, penalty: Penalty
) -> tuple[Any, Any]:
    width = model.embedding_width
    n_heads = head_count(width)
    values = keras.layers.Dropout(model.dropout)(Places()(embedded))
    blocks = []
    for _ in range(N_BLOCKS):
        norm_1, norm_2 = (keras.layers.LayerNormalization(epsilon=1e-6) for _ in range(2))
        attention = keras.layers.MultiHeadAttention(n_heads, width // n_heads)
        widen = keras.layers.Dense(model.width, "relu", kernel_regularizer=penalty())
        narrow = keras.layers.Dense(width, kernel_regularizer=penalty())
        normed = norm_1(values)
        attended = attention(normed, normed, attention_mask=mask[:, None, :] > 0)
        values = values + keras.layers.Dropout(model.dropout)(attended)
        fed = narrow(widen(norm_2(values)))
        values = values + keras.layers.Dropout(model.dropout)(fed)
        blocks.append([norm_1, attention, norm_2, widen, narrow])
    return MaskedMean(0.0)(values, mask), blocks


NETWORKS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "average": average,
    "textcnn": textcnn,
    "bigru": bigru,
    "transformer": transformer,
}


class Hidden(keras.layers.Layer):
    """Hides whole tokens while training: (ids) -> mask."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate
        self._seeds = keras.random.SeedGenerator(0)

    def call(self, token_ids: Any, training: bool = False) -> Any:
        mask = tf.cast(token_ids != 0, tf.float32)
        if training:
            mask *= tf.cast(
                keras.random.uniform(tf.shape(mask), seed=self._seeds) >= self._rate, tf.float32
            )
        return mask


class Masked(keras.layers.Layer):
    """Sets what is hidden to 0."""

    def call(self, values: Any, mask: Any) -> Any:
        return values * mask[..., None]


class MaskedMean(keras.layers.Layer):
    """Mean over the visible tokens, times their count to a power."""

    def __init__(self, power: float) -> None:
        super().__init__()
        self._power = power

    def call(self, embedded: Any, mask: Any) -> Any:
        count = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
        mean = tf.reduce_sum(embedded * mask[..., None], axis=1) / count
        return mean * tf.pow(count, self._power)


class MaskedMaximum(keras.layers.Layer):
    """Maximum over the visible tokens; what is hidden counts as -1.

    A GRU's state is never less, nor what has passed a ReLU.
    """

    def call(self, values: Any, mask: Any) -> Any:
        return tf.reduce_max(tf.where(mask[..., None] > 0, values, -1.0), axis=1)


class Places(keras.layers.Layer):
    """Adds the sinusoidal places to embeddings scaled by the root of their width."""

    def call(self, embedded: Any) -> Any:
        width = embedded.shape[-1]
        table = tf.constant(sinusoids(2_048, width))
        return embedded * width**0.5 + table[: tf.shape(embedded)[1]]
