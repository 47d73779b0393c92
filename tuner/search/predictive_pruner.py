"""A pruner that asks how probable it is that a trial ends among the best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import stdtr

__all__ = ["PredictivePruner", "chance_above"]

READ_MAX = 500  # complete trials that a line is fitted to: the latest ones
_TRIALS_MIN = 4  # a line leaves n - 2 degrees of freedom


class PredictivePruner(BasePruner):
    """Stops a trial whose chance to end among the best complete trials is small.

    Parameters
    ----------
    top
        How many count as the best, at least 1.
    chance
        Probability below which a trial is stopped, in (0, 0.5].
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
    """

    def __init__(self, *, top: int, chance: float, startup_trials: int) -> None:
        self._top = top
        self._chance = chance
        self._n_min = max(startup_trials, top, _TRIALS_MIN)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Say whether to stop a running trial at its last step."""
        step = trial.last_step
        if step is None:
            return False
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        complete = [
            other
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if other.value is not None and "duplicate_of" not in other.user_attrs
        ]
        points = [
            (so_far, sign * (other.value or 0.0))
            for other in complete[-READ_MAX:]
            if (so_far := _best_so_far(other, step, sign)) is not None
        ]
        own = _best_so_far(trial, step, sign)
        if own is None or len(complete) < self._n_min or len(points) < _TRIALS_MIN:
            return False
        finals = np.array([sign * (other.value or 0.0) for other in complete])
        threshold = float(np.partition(finals, -self._top)[-self._top])
        x, y = np.array(points, np.float64).T
        return chance_above(threshold, x, y, own) < self._chance


def _best_so_far(trial: FrozenTrial, step: int, sign: float) -> float | None:
    """Give the best value up to a step, larger is better; a phase may have ended before it."""
    return max((sign * v for s, v in trial.intermediate_values.items() if s <= step), default=None)


def chance_above(
    threshold: float,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    new: float,
) -> float:
    """Give the probability that y at `new` exceeds a threshold, by a rising line through (x, y).

    Parameters
    ----------
    threshold
        In units of `y`.
    x, y
        Known points, each (n,) with n > 2.
    new
        Where to predict, in units of `x`.

    Returns
    -------
    float
        In [0, 1]; 1.0 where the points say nothing, since all have the same x or lie on the line.
    """
    n = len(x)
    from_mean = x - x.mean()
    spread = float(np.square(from_mean).sum())
    if spread == 0.0:
        return 1.0
    slope = max(0.0, float((from_mean * y).sum()) / spread)
    residuals = y - y.mean() - slope * from_mean
    distance = new - float(x.mean())
    variance = float(np.square(residuals).sum()) / (n - 2)
    error = np.sqrt(variance * (1.0 + 1.0 / n + distance**2 / spread))
    if error == 0.0:
        return 1.0
    predicted = float(y.mean()) + slope * distance
    return float(stdtr(n - 2, (predicted - threshold) / error))
