"""Adam on plain variables, with the rate as a tensor and embeddings updated by touched rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Adam", "TouchedRows"]

STEP = "step"
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Kingma and Ba 2015, algorithm 1; Keras's epsilon


@dataclass(frozen=True, slots=True)
class TouchedRows:
    """The gradient of those rows of a table that a batch touches.

    `rows` (n,) int32 are their numbers; a row that stands there more than once has the same
    gradient at each place. `values` are the rows and `gradient` their gradient, both (n, width).
    """

    rows: Any
    values: Any
    gradient: Any


class Adam:
    """Adam with L1 and L2 gradients added where they belong.

    Dense gradients follow Kingma and Ba 2015, algorithm 1, and equal Keras's `Adam`. Gradients of
    an embedding lookup touch only the rows that occur in the batch: their moments and values
    are updated, all other rows and their moments stay as they are ("lazy" Adam). Penalties act
    on kernels and touched rows, never on biases, norms or frozen weights.
    """

    def __init__(self, variables: list[tuple[str, Any, int]]) -> None:
        # Both moments of a weight lie side by side on the last axis: a touched row's are then read
        # and written in one go, and writing rows is what a step of a small network spends most on.
        self._moments = {
            name: tf.Variable(
                tf.zeros([*variable.shape[:-1], 2 * variable.shape[-1]]), trainable=False
            )
            for name, variable, _ in variables
        }
        self._step = tf.Variable(0.0, trainable=False)

    def reset(self) -> None:
        """Forget all moments, in place."""
        self._step.assign(0.0)
        for moments in self._moments.values():
            moments.assign(tf.zeros_like(moments))

    def moments(self) -> dict[str, Any]:
        """Copy moments and step out, by the name of their weight."""
        found = {name: moments.numpy() for name, moments in self._moments.items()}
        return {**found, STEP: self._step.numpy()}

    def load(self, moments: Mapping[str, Any]) -> None:
        """Set in place what `moments` gave."""
        self._step.assign(moments[STEP])
        for name, variable in self._moments.items():
            variable.assign(moments[name])

    def apply(
        self,
        variables: list[tuple[str, Any, int]],
        gradients: list[Any],
        *,
        rates: Any,
        l1: Any,
        l2: Any,
    ) -> None:
        """Update variables in place.

        Parameters
        ----------
        variables, gradients
            In the same order; a gradient is a tensor, `TouchedRows` or `tf.IndexedSlices`.
        rates
            Learning rate per layer group, float32 (n_groups,).
        l1, l2
            Scalar tensors: penalty l1 * sum |w| + l2 * sum w**2.
        """
        step = self._step.assign_add(1.0)
        correction = tf.sqrt(1.0 - tf.pow(BETA_2, step)) / (1.0 - tf.pow(BETA_1, step))
        for (name, variable, group), gradient in zip(variables, gradients, strict=True):
            moments = self._moments[name]
            rate = rates[group] * correction
            if isinstance(gradient, tf.IndexedSlices):
                gradient = _sum_by_row(variable, gradient)
            if isinstance(gradient, TouchedRows):
                places = gradient.rows[:, None]
                total = gradient.gradient + _penalty(gradient.values, l1, l2)
                new, new_moments = _step(
                    gradient.values, tf.gather(moments, gradient.rows), total, rate
                )
                moments.scatter_nd_update(places, new_moments)
                variable.scatter_nd_update(places, new)
            else:
                if name.endswith("kernel"):
                    gradient = gradient + _penalty(variable, l1, l2)
                new, new_moments = _step(variable, moments, gradient, rate)
                moments.assign(new_moments)
                variable.assign(new)


def _penalty(values: Any, l1: Any, l2: Any) -> Any:
    return l1 * tf.sign(values) + 2.0 * l2 * values


def _step(values: Any, moments: Any, gradient: Any, rate: Any) -> tuple[Any, Any]:
    """Give the new values and moments; `rate` has the correction of the bias in it."""
    first, second = tf.split(moments, 2, axis=-1)
    first = BETA_1 * first + (1.0 - BETA_1) * gradient
    second = BETA_2 * second + (1.0 - BETA_2) * tf.square(gradient)
    # Keras's form: epsilon stands beside the uncorrected root.
    new = values - rate * first / (tf.sqrt(second) + EPSILON)
    return new, tf.concat([first, second], axis=-1)


def _sum_by_row(variable: Any, slices: Any) -> TouchedRows:
    """Sum the gradients of a row that occurs several times.

    They are summed at one of its places (its representative); all its places then write the same
    new row, so no sorting is needed.
    """
    rows = tf.reshape(slices.indices, [-1])
    values = tf.reshape(slices.values, [-1, variable.shape[1]])
    n_places = rows.shape[0]
    place_of_row = tf.tensor_scatter_nd_update(
        tf.zeros([variable.shape[0]], tf.int32), rows[:, None], tf.range(n_places)
    )
    representative = tf.gather(place_of_row, rows)
    summed = tf.math.unsorted_segment_sum(values, representative, n_places)
    return TouchedRows(rows, tf.gather(variable, rows), tf.gather(summed, representative))
