import pytest

from tuner.records import TrialRecord
from tuner.search.stopping import expected_gain, is_flat, score_noise


def trials(values):
    return [
        TrialRecord(n, n, "pruned" if value is None else "complete", value, {}, {}, {}, None, 1.0)
        for n, value in enumerate(values)
    ]


def test_expected_gain_of_the_last_trial_is_worked_out_by_hand():
    # Without one of 1, 2, 3 the best is 2 once and 3 twice: 3 - 8/3.
    assert expected_gain([3.0, 1.0, 2.0], 1) == pytest.approx(1 / 3)
    assert expected_gain([1.0], 1) == float("inf")


def test_noise_of_an_accuracy_is_its_standard_error():
    assert score_noise(0.8, 1_600) == pytest.approx(0.01)


def test_search_whose_scores_no_longer_move_is_flat():
    found = trials([0.5 + 0.01 * n for n in range(30)] + [0.79 - 0.0001 * n for n in range(40)])

    assert is_flat(found, direction="maximize", n_rows=1_000)


def test_search_that_still_gains_is_not_flat():
    assert not is_flat(
        trials([0.5 + 0.005 * n for n in range(60)]), direction="maximize", n_rows=10_000
    )


def test_search_with_few_complete_trials_is_never_flat():
    found = trials([0.8] * 10 + [None] * 60)

    assert not is_flat(found, direction="maximize", n_rows=100)
    assert not is_flat(trials([0.8] * 60), direction="minimize", n_rows=100)
