"""How an encoder's functions are compiled: once for every batch and length, named by the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tuner.models.pretrained.network import EncoderNetwork

__all__ = ["LENGTHS", "compiled", "features_of", "head_words", "tokens_of"]

LENGTHS: Any = tf.TensorSpec([None], tf.int32)


def compiled(run: Callable[..., Any], *signature: Any) -> Any:
    """Compile a function of tensors of these kinds, which traces it once."""
    return tf.function(run, autograph=False, input_signature=signature)


def tokens_of(network: EncoderNetwork, group: int) -> Any:
    """Give the kind of what goes into a layer group, word embeddings for group 0."""
    sizes = network.architecture
    return tf.TensorSpec([None, None, sizes.width if group else sizes.embedding_width], tf.float32)


def features_of(network: EncoderNetwork) -> Any:
    """Give the kind of what goes into the head."""
    return tf.TensorSpec([None, network.architecture.width], tf.float32)


def head_words(head_width: int | None) -> str:
    """Name a head by its hidden layer.

    >>> head_words(None), head_words(64)
    ('the linear head', 'the head of 64 units')
    """
    return "the linear head" if head_width is None else f"the head of {head_width} units"
