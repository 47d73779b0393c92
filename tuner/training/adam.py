"""Adam on plain variables, with the rate as a tensor and embeddings updated by touched rows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["Adam"]

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Kingma and Ba 2015, algorithm 1; Keras's epsilon


class Adam:
    """Adam with L1 and L2 gradients added where they belong.

    Dense gradients follow Kingma and Ba 2015, algorithm 1, and equal Keras's `Adam`. Gradients of
    an embedding lookup touch only the rows that occur in the batch: their moments and values
    are updated, all other rows and their moments stay as they are ("lazy" Adam). Penalties act
    on kernels and touched rows, never on biases, norms or frozen weights.
    """

    def __init__(self, variables: list[tuple[str, Any, int]]) -> None:
        self._moments = {
            name: (
                tf.Variable(tf.zeros_like(variable), trainable=False),
                tf.Variable(tf.zeros_like(variable), trainable=False),
            )
            for name, variable, _ in variables
        }
        self._step = tf.Variable(0.0, trainable=False)

    def reset(self) -> None:
        """Forget all moments, in place."""
        self._step.assign(0.0)
        for first, second in self._moments.values():
            first.assign(tf.zeros_like(first))
            second.assign(tf.zeros_like(second))

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
            In the same order; a gradient is a tensor or `tf.IndexedSlices`.
        rates
            Learning rate per layer group, float32 (n_groups,).
        l1, l2
            Scalar tensors: penalty l1 * sum |w| + l2 * sum w**2.
        """
        step = self._step.assign_add(1.0)
        correction = tf.sqrt(1.0 - tf.pow(BETA_2, step)) / (1.0 - tf.pow(BETA_1, step))
        for (name, variable, group), gradient in zip(variables, gradients, strict=True):
            first, second = self._moments[name]
            rate = rates[group] * correction
            if isinstance(gradient, tf.IndexedSlices):
                _update_rows(variable, first, second, gradient, rate=rate, l1=l1, l2=l2)
            else:
                if name.endswith("kernel"):
                    gradient = gradient + l1 * tf.sign(variable) + 2.0 * l2 * variable
                first.assign(BETA_1 * first + (1.0 - BETA_1) * gradient)
                second.assign(BETA_2 * second + (1.0 - BETA_2) * tf.square(gradient))
                # Keras's form: epsilon stands beside the uncorrected root.
                variable.assign_sub(rate * first / (tf.sqrt(second) + EPSILON))


def _update_rows(
    variable: Any, first: Any, second: Any, slices: Any, *, rate: Any, l1: Any, l2: Any
) -> None:
    """Update the rows of an embedding that occur in the batch.

    A row that occurs several times has its gradients summed at one of its places (its
    representative); all its places then write the same new row, so no sorting is needed.
    """
    width = variable.shape[1]
    rows = tf.reshape(slices.indices, [-1])
    values = tf.reshape(slices.values, [-1, width])
    n_places = rows.shape[0]
    place_of_row = tf.tensor_scatter_nd_update(
        tf.zeros([variable.shape[0]], tf.int32), rows[:, None], tf.range(n_places)
    )
    representative = tf.gather(place_of_row, rows)
    summed = tf.math.unsorted_segment_sum(values, representative, n_places)
    gradient = tf.gather(summed, representative)
    old = tf.gather(variable, rows)
    gradient = gradient + l1 * tf.sign(old) + 2.0 * l2 * old
    new_first = BETA_1 * tf.gather(first, rows) + (1.0 - BETA_1) * gradient
    new_second = BETA_2 * tf.gather(second, rows) + (1.0 - BETA_2) * tf.square(gradient)
    new = old - rate * new_first / (tf.sqrt(new_second) + EPSILON)
    first.scatter_nd_update(rows[:, None], new_first)
    second.scatter_nd_update(rows[:, None], new_second)
    variable.scatter_nd_update(rows[:, None], new)
