"""A trial comes out again as it was recorded."""

from __future__ import annotations

import json

import pytest

from tests.conftest import SMALL, make_rows, run_tuner, write_csv


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    write_csv(folder / "reviews.csv", make_rows(80))
    result = run_tuner("optimize", "--data", "reviews.csv", "--trials", "2", *SMALL,
                       "--study-name", "s", cwd=folder)  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder


def replay(folder, number, *more):
    return run_tuner("replay", "s", str(number), *more, cwd=folder)


def test_trial_is_replayed_bit_for_bit(finished):
    result = replay(finished, 1, "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["are_bits_equal"]
    assert found["is_expected_exact"]
    assert found["value"] == found["again"]
    assert found["drift"] == []


def test_other_threads_are_named_as_drift(finished):
    result = run_tuner("replay", "s", "0", cwd=finished, TF_NUM_INTRAOP_THREADS="1")

    assert "drift: threads was" in result.stdout


def test_trial_that_is_not_there_is_refused(finished):
    result = replay(finished, 7)

    assert result.returncode == 2
    assert "TRIAL must be a trial of study 's', 0 to 1; got 7." in result.stderr
