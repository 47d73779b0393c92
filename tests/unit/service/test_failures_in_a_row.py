"""Workers that fail again and again end the study."""

import pytest

from tuner.errors import StorageError
from tuner.service.failures_in_a_row import FailuresInARow


def test_tenth_failure_of_two_workers_in_a_row_ends_the_study_with_the_last_words():
    failures = FailuresInARow(2)
    for _ in range(9):
        failures.add(0, "out of memory")

    with pytest.raises(StorageError, match=r"workers failed 10 times .* worker 1: no space left"):
        failures.add(1, "no space left")


def test_a_finished_trial_in_between_lets_them_fail_again():
    failures = FailuresInARow(1)
    for _ in range(4):
        failures.add(0, "out of memory")
    failures.trial_finished()

    failures.add(0, "out of memory")
