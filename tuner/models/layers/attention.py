"""A block of self-attention, and the signals that tell it the places."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.models.layers.attended import attended
from tuner.models.layers.dropout import Dropout

__all__ = ["Block", "head_count", "sinusoids"]

HEADS_MAX = 4


class Block:
    """Self-attention and a feed-forward layer, each added to what came in."""

    def __init__(self, number: int, width: int, feed_forward: int) -> None:
        self.n_heads = head_count(width)
        named = f"block_{number}"
        self.norm_1 = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{named}_norm_1")
        self.norm_2 = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{named}_norm_2")
        self.attend = keras.layers.Dense(3 * width, name=f"{named}_attention_in")
        self.combine = keras.layers.Dense(width, name=f"{named}_attention_out")
        self.widen = keras.layers.Dense(feed_forward, activation="relu", name=f"{named}_widen")
        self.narrow = keras.layers.Dense(width, name=f"{named}_narrow")

    def layers(self) -> list[Any]:
        """Give the layers with weights."""
        return [
            self.norm_1, self.attend, self.combine, self.norm_2, self.widen, self.narrow,
        ]  # fmt: skip

    def __call__(self, values: Any, mask: Any, dropout: Dropout | None, *, salt: int) -> Any:
        """Map (batch, length, width) to the same; `mask` (batch, length) hides keys."""
        attended = self._attention(self.norm_1(values), mask)
        if dropout is not None:
            attended = dropout.hide_units(attended, salt=salt)
        values += attended
        fed = self.narrow(self.widen(self.norm_2(values)))
        if dropout is not None:
            fed = dropout.hide_units(fed, salt=salt + 1)
        return values + fed

    def _attention(self, values: Any, mask: Any) -> Any:
        """Attend to the visible tokens (Vaswani et al. 2017, section 3.2)."""
        batch, length, width = tf.shape(values)[0], values.shape[1], values.shape[2]
        split = tf.reshape(
            self.attend(values), [batch, length, 3, self.n_heads, width // self.n_heads]
        )
        query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        together = tf.transpose(attended(query, key, value, mask), [0, 2, 1, 3])
        return self.combine(tf.reshape(together, [batch, length, width]))


def head_count(width: int) -> int:
    """Give how many heads share a width: the most up to four that divide it."""
    return next(n for n in range(min(HEADS_MAX, width), 0, -1) if width % n == 0)


def sinusoids(length: int, width: int) -> npt.NDArray[np.float32]:
    """Give the places' signals, (length, width) float32 (Vaswani et al. 2017, section 3.5)."""
    places = np.arange(length)[:, None]
    rates = 10_000.0 ** (-2.0 * (np.arange(width) // 2) / width)
    angles = places * rates
    return np.where(np.arange(width) % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)
