"""Cross-entropy whose weights, smoothing and focus are tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = ["class_weights", "cross_entropy"]


def cross_entropy(
    logits: Any,
    labels: Any,
    *,
    row_weights: Any,
    class_weights: Any,
    label_smoothing: Any,
    focal_gamma: Any,
) -> Any:
    """Give the weighted mean cross-entropy of a batch.

    Parameters
    ----------
    logits
        (batch, n_classes) float32.
    labels
        (batch,) int32.
    row_weights
        (batch,) float32; 0 for rows that only fill up the batch.
    class_weights
        (n_classes,) float32.
    label_smoothing
        Scalar tensor in [0, 1): share of the target spread evenly over the classes (Szegedy et
        al. 2016, section 7).
    focal_gamma
        Scalar tensor, at least 0: a row's loss is multiplied by (1 - probability of its label) to
        this power, so that what is learnt already counts less (Lin et al. 2017, arXiv:1708.02002,
        equation 4). 0 is plain cross-entropy.
    """
    log_probabilities = tf.nn.log_softmax(logits)
    target = tf.gather(log_probabilities, labels, batch_dims=1)
    spread = tf.reduce_mean(log_probabilities, axis=-1)
    losses = -(1.0 - label_smoothing) * target - label_smoothing * spread
    # Held off 0, where the power's gradient is infinite.
    losses *= tf.pow(tf.maximum(1.0 - tf.exp(target), 1e-6), focal_gamma)
    weights = row_weights * tf.gather(class_weights, labels)
    return tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1e-12)


def class_weights(
    labels: npt.NDArray[np.int32], n_classes: int, kind: str
) -> npt.NDArray[np.float32]:
    """Give the weight of each class, (n_classes,) float32.

    "balanced" weighs by n / (n_classes * n of the class), as scikit-learn does; a class that
    train does not have gets 1. "none" weighs all alike.
    """
    if kind == "none":
        return np.ones(n_classes, np.float32)
    counts = np.bincount(labels, minlength=n_classes)
    return np.where(counts > 0, len(labels) / (n_classes * np.maximum(counts, 1)), 1.0).astype(
        np.float32
    )
