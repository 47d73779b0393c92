"""A pruner that asks how probable it is that a trial ends among the best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import stdtr

__all__ = ["PredictivePruner", "chances_above"]

READ_MAX = 500  # complete trials that a line is fitted to: the latest ones
_TRIALS_MIN = 4  # a line leaves n - 2 degrees of freedom

Floats = npt.NDArray[np.float64]


class PredictivePruner(BasePruner):
    """Stops a trial that will hardly end among the best, as long as few of these are lost so.

    Parameters
    ----------
    top
        How many count as the best, at least 1.
    chance
        Probability below which a trial may be stopped, in (0, 0.5].
    loss
        Share of the `top` best that all pruning together may be expected to cost, in (0, 1].
    startup_trials
        Complete trials before anything is pruned; never fewer than `top`, nor than 4.

    Notes
    -----
    At step s the best intermediate value up to s of every complete trial, and its final value,
    give a line by least squares, with slope 0 where it would fall. Its prediction for the running
    trial has Student's t distribution with n - 2 degrees of freedom, as a new observation's in
    simple linear regression; the chance is its tail above the final value of the trial that is
    `top`-th now. Early termination by the probability to beat what is known: Domhan et al. 2015,
    "Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks by Extrapolation of
    Learning Curves", with parametric curves; Baker et al. 2017, arXiv:1705.10823, with
    regressions on earlier trials.

    The final value is the trial's value, which may be measured on other rows than the
    intermediate ones: the noise of both is then in the line's residuals. Where the values say
    little about the end, or all configurations are alike, nothing is pruned; a rule by ranks
    prunes its share of them.

    The chances of all trials pruned so far, by what is known now, add up to the number of them
    that would be among the best: this sum and the running trial's chance stay at or below
    `loss * top`. What an early pruning has cost is given back as better trials come in.
    """

    def __init__(self, *, top: int, chance: float, loss: float, startup_trials: int) -> None:
        self._top = top
        self._chance = chance
        self._loss_max = loss * top
        self._n_min = max(startup_trials, top, _TRIALS_MIN)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Say whether to stop a running trial at its last step."""
        step = trial.last_step
        if step is None:
            return False
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        finished = [
            other
            for other in study.get_trials(
                deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
            )
            if "duplicate_of" not in other.user_attrs
        ]
        complete = [
            other
            for other in finished
            if other.state == TrialState.COMPLETE and other.value is not None
        ]
        if len(complete) < self._n_min:
            return False
        prediction = _Prediction(complete, top=self._top, sign=sign)
        own = prediction.chances(step, [trial]).sum()
        if own >= self._chance:
            return False
        pruned: defaultdict[int, list[FrozenTrial]] = defaultdict(list)
        for other in finished:
            if other.state == TrialState.PRUNED and other.last_step is not None:
                pruned[other.last_step].append(other)
        lost = sum(prediction.chances(at, trials).sum() for at, trials in pruned.items())
        return bool(own + lost <= self._loss_max)


class _Prediction:
    """What the complete trials say about others that have come to a step."""

    def __init__(self, complete: Sequence[FrozenTrial], *, top: int, sign: float) -> None:
        self._sign = sign
        finals = np.array([sign * (trial.value or 0.0) for trial in complete])
        self._threshold = float(np.partition(finals, -top)[-top])
        self._read = complete[-READ_MAX:]

    def chances(self, step: int, trials: Sequence[FrozenTrial]) -> Floats:
        """Give the chances (len(trials),) of trials that have reported up to `step`."""
        points = [
            (so_far, self._sign * (other.value or 0.0))
            for other in self._read
            if (so_far := _best_so_far(other, step, self._sign)) is not None
        ]
        new = [_best_so_far(trial, step, self._sign) for trial in trials]
        if len(points) < _TRIALS_MIN:
            return np.ones(len(trials))
        x, y = np.array(points, np.float64).T
        return chances_above(self._threshold, x, y, np.array(new, np.float64))


def _best_so_far(trial: FrozenTrial, step: int, sign: float) -> float | None:
    """Give the best value up to a step, larger is better; a phase may have ended before it."""
    return max((sign * v for s, v in trial.intermediate_values.items() if s <= step), default=None)


def chances_above(threshold: float, x: Floats, y: Floats, new: Floats) -> Floats:
    """Give the probabilities that y at `new` exceeds a threshold, by a rising line through (x, y).

    Parameters
    ----------
    threshold
        In units of `y`.
    x, y
        Known points, each (n,) with n > 2.
    new
        Where to predict, (k,), in units of `x`.

    Returns
    -------
    ndarray (k,)
        In [0, 1]; 1.0 where the points say nothing, since all have the same x or lie on the line.
    """
    n = len(x)
    from_mean = x - x.mean()
    spread = float(np.square(from_mean).sum())
    if spread <= _rounding(x):
        return np.ones(len(new))
    slope = max(0.0, float((from_mean * y).sum()) / spread)
    residuals = y - y.mean() - slope * from_mean
    squares = float(np.square(residuals).sum())
    if squares <= _rounding(y):
        return np.ones(len(new))
    variance = squares / (n - 2)
    distance = new - float(x.mean())
    error = np.sqrt(variance * (1.0 + 1.0 / n + np.square(distance) / spread))
    predicted = float(y.mean()) + slope * distance
    chances: Floats = stdtr(n - 2, (predicted - threshold) / error)
    return chances


def _rounding(values: Floats) -> float:
    """Give the sum of squares that equal values have by rounding: a mean of them differs a bit."""
    return float(len(values) * np.square(4.0 * np.finfo(np.float64).eps * np.abs(values).max()))
