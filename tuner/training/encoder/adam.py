"""Adam for an encoder's variables, with a rate for every layer group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tuner.training.encoder.gradients import WORDS

__all__ = ["EncoderAdam"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Kingma and Ba 2015, algorithm 1; Keras's epsilon
STEP = "step"
EMBEDDINGS = (WORDS, "embedding/position")
CLIP_NORM = 1.0  # of all gradients together; Devlin et al. 2019, optimization.py of their code


class EncoderAdam:
    """Adam in place, moments kept for the trained groups alone.

    Each layer group counts its own steps, so that the first ones of a group that opens later are
    corrected for moments that begin at 0.

    L1 and L2 act on kernels and on the rows of the embeddings that a batch touches; L2-SP on the
    encoder's kernels: l2_sp * sum (w - w_checkpoint)**2 (Li et al. 2018, arXiv:1802.01483,
    equation 3).
    """

    def __init__(self) -> None:
        self._moments: dict[str, tuple[Any, Any]] = {}
        self._anchors: dict[str, Any] = {}
        self._steps = np.zeros(0)  # taken so far, by layer group

    def prepare(
        self, variables: Mapping[str, tuple[Any, int]], anchors: Mapping[str, Any]
    ) -> None:
        """Make and zero the moments of these variables, and let go of all others.

        Parameters
        ----------
        variables
            By name: variable and layer group.
        anchors
            Weights that L2-SP draws to, by name.
        """
        self._steps = np.zeros(1 + max((group for _, group in variables.values()), default=-1))
        for name in set(self._moments) - set(variables):
            del self._moments[name]
        for name, (variable, _) in variables.items():
            zeros = tf.zeros_like(variable)
            known = self._moments.get(name)
            if known is None or known[0].shape != zeros.shape:
                self._moments[name] = (tf.Variable(zeros), tf.Variable(zeros))
            else:
                known[0].assign(zeros)
                known[1].assign(zeros)
        self._anchors = {
            name: tf.Variable(anchors[name], trainable=False)
            for name in variables
            if name in anchors and name.endswith("/kernel")
        }

    def moments(self) -> dict[str, Any]:
        """Copy moments out by the name of their weight, and the steps of each group."""
        found: dict[str, Any] = {STEP: self._steps.copy()}
        for name, (first, second) in self._moments.items():
            found |= {f"{name}/first": first.numpy(), f"{name}/second": second.numpy()}
        return found

    def load(self, moments: Mapping[str, Any]) -> None:
        """Set in place what `moments` gave; a single count, of before, is that of all groups."""
        self._steps[:] = moments[STEP]
        for name, (first, second) in self._moments.items():
            first.assign(moments[f"{name}/first"])
            second.assign(moments[f"{name}/second"])

    def apply(
        self,
        variables: Mapping[str, tuple[Any, int]],
        gradients: Mapping[str, Any],
        *,
        rates: Any,
        l1: float,
        l2: float,
        l2_sp: float,
    ) -> None:
        """Update variables in place.

        Parameters
        ----------
        gradients
            By name, dense.
        rates
            Learning rate per layer group, (n_groups,).
        """
        self._steps[sorted({variables[name][1] for name in gradients})] += 1.0
        clipped, _ = tf.clip_by_global_norm(list(gradients.values()), CLIP_NORM)
        for name, gradient in zip(gradients, clipped, strict=True):
            variable, group = variables[name]
            first, second = self._moments[name]
            step = float(self._steps[group])
            is_embedding = name in EMBEDDINGS
            if (l1 or l2) and (is_embedding or name.endswith("/kernel")):
                penalty = l1 * tf.sign(variable) + 2.0 * l2 * variable
                gradient += penalty * _touched(gradient) if is_embedding else penalty
            if l2_sp and name in self._anchors:
                gradient = gradient + 2.0 * l2_sp * (variable - self._anchors[name])
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=BETA_1**step,
                beta2_power=BETA_2**step,
                lr=rates[group],
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )


def _touched(gradient: Any) -> Any:
    """Give 1 for the rows that have a gradient and 0 for the others, (n, 1) float32."""
    return tf.cast(tf.reduce_any(gradient != 0, axis=1, keepdims=True), tf.float32)
