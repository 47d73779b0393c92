import pytest

from tuner.evaluation import mean_interval, repetitions, runs_needed


@pytest.mark.parametrize(
    ("contenders", "seeds", "expected"),
    [(1, 4, (4,)), (2, 3, (3, 3)), (3, 3, (2, 3, 3)), (5, 5, (2, 3, 4, 5, 5)), (5, 1, (1,) * 5)],
)
def test_losers_leave_early_and_the_last_two_stay(contenders, seeds, expected):
    assert repetitions(contenders, seeds) == expected


def test_cost_is_known_beforehand():
    assert runs_needed(5, 5) == 2 + 3 + 4 + 5 + 5


def test_interval_of_a_mean_is_student_s():
    # mean 2, standard deviation 1, t(0.975, 2) = 4.3027, over the root of 3
    interval = mean_interval([1.0, 2.0, 3.0])

    assert (interval.low, interval.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([1.0]) is None


def test_interval_of_a_mean_holds_nothing_that_the_score_cannot_be():
    interval = mean_interval([0.2, 0.9], least=0.0, most=1.0)

    assert (interval.low, interval.high) == (0.0, 1.0)
