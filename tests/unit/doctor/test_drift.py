"""Drift: chance is no finding, another source or other shares are one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tuner.doctor import class_share_drift, text_drift
from tuner.doctor.drift import _delong

WORDS = [f"word{number}" for number in range(60)]


def texts(n, *, seed, extra=()):
    generator = random.Random(seed)
    return [[*generator.sample(WORDS, 8), *extra] for _ in range(n)]


def test_two_halves_of_one_source_show_no_drift():
    drift = text_drift(texts(400, seed=1), texts(200, seed=2), range(600), seed=0)

    assert not drift.is_notable
    assert drift.low < 0.5 < drift.high


def test_other_source_is_noted_with_the_tokens_that_tell():
    first, second = texts(400, seed=1, extra=["here"]), texts(200, seed=2, extra=["elsewhere"])

    drift = text_drift(first, second, range(600), seed=0)

    assert drift.is_notable
    assert drift.auc > 0.95
    assert (drift.first_tokens, drift.second_tokens) == (("here",), ("elsewhere",))


def test_files_too_small_to_tell_are_not_judged():
    assert text_drift(texts(100, seed=1), texts(29, seed=2), range(129), seed=0) is None
    assert class_share_drift(["a", "b"] * 50, ["a"] * 29) is None


def test_interval_is_that_of_the_paper():
    # By hand: of the 4 pairs one is the wrong way round; both variance terms are 1/8.
    auc, deviation = _delong(np.array([1.0, 3.0]), np.array([2.0, 4.0]))

    assert auc == pytest.approx(0.75)
    assert deviation == pytest.approx(np.sqrt(1 / 8))


def test_equal_class_shares_are_no_drift():
    drift = class_share_drift(["a", "b", "c"] * 100, ["a", "b", "c"] * 40)

    assert not drift.is_notable
    assert drift.p_value == pytest.approx(1.0)


def test_small_difference_in_many_rows_is_no_drift():
    # p is tiny, but only 2 % of the rows would have to change class.
    drift = class_share_drift(["a"] * 50_000 + ["b"] * 50_000, ["a"] * 52_000 + ["b"] * 48_000)

    assert drift.p_value < 1e-6
    assert not drift.is_notable


def test_class_that_one_file_lacks_counts_in_the_shares():
    drift = class_share_drift(["a"] * 50 + ["b"] * 50, ["a"] * 60 + ["b"] * 25 + ["new"] * 15)

    assert drift.is_notable
    assert (drift.label, drift.first, drift.second) == ("b", 0.5, 0.25)
