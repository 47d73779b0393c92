"""Scaled dot-product attention, a few texts at a time where all at once would fill the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["attended"]

# Weights of all texts of a batch that are held at once, and those of a piece where they are more.
WEIGHTS_AT_ONCE = 16_000_000
WEIGHTS_A_PIECE = 1_000_000


def attended(query: Any, key: Any, value: Any, mask: Any) -> Any:
    """Attend to the visible tokens.

    The weights of a batch grow with the square of the length. Where they are many, the texts are
    worked on piece by piece, and the way back computes the weights again.

    Parameters
    ----------
    query, key, value
        (batch, heads, length, width of a head) float32, of a known shape.
    mask
        (batch, length) float32; keys where it is 0 are hidden.

    Returns
    -------
    tensor (batch, heads, length, width of a head)

    Notes
    -----
    Vaswani et al. 2017, arXiv:1706.03762, section 3.2; computing again as in Chen et al. 2016,
    "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.
    """
    batch, n_heads, length, _ = query.shape
    if batch is None or batch * n_heads * length**2 <= WEIGHTS_AT_ONCE:
        return tf.matmul(_weights(query, key, mask), value)
    most = max(1, WEIGHTS_A_PIECE // (n_heads * length**2))
    n_rows = max(n for n in range(1, min(most, batch) + 1) if batch % n == 0)
    return _in_pieces(n_rows)(query, key, value, mask)


def _weights(query: Any, key: Any, mask: Any) -> Any:
    scores = tf.matmul(query, key, transpose_b=True) * _scale(query)
    return tf.nn.softmax(tf.where(mask[:, None, None] > 0, scores, -1e9))


def _scale(query: Any) -> float:
    return float(1.0 / np.sqrt(query.shape[-1]))


def _in_pieces(n_rows: int) -> Any:
    """Give `attended` for pieces of `n_rows` texts."""

    @tf.custom_gradient
    def attend(query: Any, key: Any, value: Any, mask: Any) -> Any:
        def forward(query: Any, key: Any, value: Any, mask: Any) -> tuple[Any]:
            return (tf.matmul(_weights(query, key, mask), value),)

        def backward(query: Any, key: Any, value: Any, mask: Any, upstream: Any) -> Any:
            weights = _weights(query, key, mask)
            of_weights = tf.matmul(upstream, value, transpose_b=True)
            spread = tf.reduce_sum(of_weights * weights, axis=-1, keepdims=True)
            of_scores = weights * (of_weights - spread) * _scale(query)
            return (
                tf.matmul(of_scores, key),
                tf.matmul(of_scores, query, transpose_a=True),
                tf.matmul(weights, upstream, transpose_a=True),
            )

        def gradient(upstream: Any) -> tuple[Any, ...]:
            return (*_map(backward, (query, key, value, mask, upstream), n_rows, n_out=3), None)

        (found,) = _map(forward, (query, key, value, mask), n_rows, n_out=1)
        return found, gradient

    return attend


def _map(function: Any, tensors: tuple[Any, ...], n_rows: int, *, n_out: int) -> tuple[Any, ...]:
    """Apply a function to `n_rows` rows of the tensors at a time; all it gives is shaped alike."""
    shape = tensors[0].shape
    n_pieces = shape[0] // n_rows
    pieces = [tf.reshape(each, [n_pieces, n_rows, *each.shape[1:]]) for each in tensors]
    arrays = [
        tf.TensorArray(tf.float32, size=n_pieces, element_shape=[n_rows, *shape[1:]])
        for _ in range(n_out)
    ]

    def body(number: Any, *arrays: Any) -> tuple[Any, ...]:
        found = function(*(each[number] for each in pieces))
        written = (array.write(number, one) for array, one in zip(arrays, found, strict=True))
        return (number + 1, *written)

    _, *arrays = tf.while_loop(
        lambda number, *_: number < n_pieces,
        body,
        (tf.constant(0), *arrays),
        maximum_iterations=n_pieces,
    )
    return tuple(tf.reshape(array.stack(), shape) for array in arrays)
