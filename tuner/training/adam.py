"""Adam on plain variables, with the rate as a tensor and the embedding updated by touched rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = ["DESCENT", "Adam", "TouchedRows"]

STEP = "step"
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Kingma and Ba 2015, algorithm 1; Keras's epsilon
DESCENT = 5_000.0  # a gradient of a score is this much shorter than a step of Adam, or so
FADING = BETA_1 / BETA_2**0.5  # of a step without a gradient to the one before, rates aside


@dataclass(frozen=True, slots=True)
class TouchedRows:
    """The rows of a table that a batch touches, as `Adam.read` gives them.

    `rows` (n,) int32 are their numbers; a row that stands there more than once needs the same
    gradient at each place. `values` (n, width) are the rows and `state` what Adam knows of them;
    None where they descend.
    """

    rows: Any
    values: Any
    state: Any


class Adam:
    """Adam with L1 and L2 gradients added where they belong.

    Gradients follow Kingma and Ba 2015, algorithm 1, and updates equal those of Keras's `Adam`.

    The `table`, an embedding, is read and written by the rows that a batch touches. A row that a
    batch does not touch has no gradient, yet Adam would move it on by its momentum, for some
    twenty steps. With `momentum` 1 a row makes up for these steps when it is next read, in closed
    form, so that the result is that of dense updates; with 0 it stays where it was and keeps its
    moments ("lazy" Adam). `settle` makes up for them in all rows, before others read the table.

    Penalties act on kernels and touched rows, never on biases, norms or frozen weights.

    Parameters
    ----------
    variables
        Name, `tf.Variable` and group number of each weight.
    table
        Name of the one that is updated by rows; None where there is none.
    descends
        Whether the table learns by plain gradient descent, at `DESCENT` times the rate of its
        group, and keeps its last column; see `tuner.models.layers.TokenScores`.
    """

    def __init__(
        self,
        variables: list[tuple[str, Any, int]],
        *,
        table: str | None = None,
        descends: bool = False,
    ) -> None:
        # All that is known of a weight lies side by side on the last axis: a touched row's is then
        # read and written in one go, and writing rows is what a step of a small network spends
        # most on. Two moments, and for a row when it was last written, and at which rate.
        self._table = table
        self._descends = descends
        self._state = {
            name: tf.Variable(
                tf.zeros([*variable.shape[:-1], 2 * variable.shape[-1] + 2 * (name == table)]),
                trainable=False,
            )
            for name, variable, _ in variables
            if not (descends and name == table)
        }
        self._table_state: Any = self._state.get(table or "")
        self._step = tf.Variable(0.0, trainable=False)

    def reset(self) -> None:
        """Forget all moments, in place."""
        self._step.assign(0.0)
        for state in self._state.values():
            state.assign(tf.zeros_like(state))

    def moments(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copy moments and step out, by the name of their weight."""
        found = {name: state.numpy() for name, state in self._state.items()}
        return {**found, STEP: self._step.numpy()}

    def load(self, moments: Mapping[str, Any]) -> None:
        """Set in place what `moments` gave."""
        self._step.assign(moments[STEP])
        for name, variable in self._state.items():
            variable.assign(moments[name])

    def read(self, table: Any, rows: Any, *, momentum: Any) -> TouchedRows:
        """Read rows of the table as they are before the next step.

        Parameters
        ----------
        table
            Variable (n_rows, width).
        rows
            (n,) int32.
        momentum
            Scalar tensor, 1.0 or 0.0, see the class.
        """
        values = tf.gather(table, rows)
        if self._descends:
            return TouchedRows(rows, values, None)
        state = tf.gather(self._table_state, rows)
        return TouchedRows(rows, *_moved_on(values, state, self._step, momentum))

    def settle(self, table: Any) -> None:
        """Move all rows of the table on to the last step, in place."""
        if self._descends:
            return
        state = self._table_state
        new, new_state = _moved_on(table, state, self._step, 1.0)
        table.assign(new)
        state.assign(new_state)

    def apply(
        self,
        variables: list[tuple[str, Any, int]],
        gradients: list[Any],
        *,
        touched: TouchedRows | None = None,
        rates: Any,
        l1: Any,
        l2: Any,
    ) -> None:
        """Update variables in place.

        Parameters
        ----------
        variables, gradients
            In the same order; the gradient of the table is that of the rows touched, (n, width).
        touched
            Rows of the table, if it is among the variables.
        rates
            Learning rate per layer group, float32 (n_groups,).
        l1, l2
            Scalar tensors: penalty l1 * sum |w| + l2 * sum w**2.
        """
        step = self._step.assign_add(1.0)
        correction = tf.sqrt(1.0 - tf.pow(BETA_2, step)) / (1.0 - tf.pow(BETA_1, step))
        for (name, variable, group), gradient in zip(variables, gradients, strict=True):
            rate = rates[group] * correction
            if name == self._table and touched is not None and self._descends:
                scores = touched.values[:, :-1]
                total = gradient[:, :-1] + _penalty(scores, l1, l2)
                new = tf.concat(
                    [scores - DESCENT * rates[group] * total, touched.values[:, -1:]], axis=-1
                )
                variable.scatter_nd_update(touched.rows[:, None], new)
                continue
            state = self._state[name]
            if name == self._table and touched is not None:
                width = touched.values.shape[-1]
                total = gradient + _penalty(touched.values, l1, l2)
                new, moments = _step(touched.values, touched.state[:, : 2 * width], total, rate)
                written = tf.broadcast_to(tf.stack([step, rates[group]]), [moments.shape[0], 2])
                places = touched.rows[:, None]
                state.scatter_nd_update(places, tf.concat([moments, written], axis=-1))
                variable.scatter_nd_update(places, new)
            else:
                if name.endswith("kernel"):
                    gradient = gradient + _penalty(variable, l1, l2)
                new, moments = _step(variable, state, gradient, rate)
                state.assign(moments)
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


def _moved_on(values: Any, state: Any, step: Any, momentum: Any) -> tuple[Any, Any]:
    """Give rows and their state after the steps without a gradient up to `step`.

    The j-th of them moves a row by rate_j * beta_1^j m / (sqrt(beta_2^j v) + epsilon). Taken are
    the rate of the row's last step, which a schedule changes but little in twenty steps, and an
    epsilon that fades like the root; the sum is then a difference of two sums without end.
    """
    width = values.shape[-1]
    first, second, written = tf.split(state, [width, width, 2], axis=-1)
    last, rate = written[:, :1], written[:, 1:]
    gap = momentum * (step - last)
    way = _endless(last) - tf.pow(FADING, gap) * _endless(step)
    new = values - momentum * rate * way * first / (tf.sqrt(second) + EPSILON)
    first, second = first * tf.pow(BETA_1, gap), second * tf.pow(BETA_2, gap)
    now = tf.fill(tf.shape(last), step)
    return new, tf.concat([first, second, now, rate], axis=-1)


_HORIZON = 8192  # steps after which the correction of the bias is 1, to four digits


def _endless_sums() -> npt.NDArray[np.float32]:
    """Sum FADING^j * correction(step + j) over all j >= 1, for each step up to the horizon."""
    steps = np.arange(1, _HORIZON + 1, dtype=np.float64)
    correction = np.sqrt(1.0 - BETA_2**steps) / (1.0 - BETA_1**steps)
    sums = np.empty(_HORIZON + 1)
    sums[-1] = FADING / (1.0 - FADING)
    for step in range(_HORIZON - 1, -1, -1):
        sums[step] = FADING * (correction[step] + sums[step + 1])
    return sums.astype(np.float32)


_ENDLESS_SUMS = _endless_sums()


def _endless(step: Any) -> Any:
    at = tf.cast(tf.minimum(step, float(_HORIZON)), tf.int32)
    return tf.gather(tf.constant(_ENDLESS_SUMS), at)
