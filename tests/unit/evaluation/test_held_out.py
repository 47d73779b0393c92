"""The estimate of a winner from runs that did not choose it."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from tuner.evaluation import held_out_values


def test_each_repetition_is_scored_for_the_contender_that_the_others_choose():
    values = {"a": (0.9, 0.7, 0.8), "b": (0.7, 0.8, 0.75)}

    # Without the first: 0.75 against 0.775, so b; without the second or the third: a.
    assert held_out_values(values, "a", sign=1.0) == (0.7, 0.7, 0.8)


def test_contender_that_left_early_is_compared_on_the_repetitions_it_ran():
    values = {"a": (0.6, 0.6, 0.9), "b": (0.5, 0.7)}

    # Without the first, b is ahead by 0.1 on the second; without the second it is behind.
    assert held_out_values(values, "a", sign=1.0) == (0.5, 0.6, 0.9)


def test_lowest_loss_is_chosen_where_low_is_good():
    assert held_out_values({"a": (0.2, 0.3), "b": (0.25, 0.1)}, "a", sign=-1.0) == (0.25, 0.3)


def test_single_repetition_or_contender_keeps_its_values():
    assert held_out_values({"a": (0.5,), "b": (0.4,)}, "a", sign=1.0) == (0.5,)
    assert held_out_values({"a": (0.5, 0.6)}, "a", sign=1.0) == (0.5, 0.6)


def test_winner_of_equal_contenders_is_not_flattered():
    rng = np.random.default_rng(0)
    own, held_out = [], []
    for _ in range(400):
        values = dict(enumerate(rng.normal(0.0, 1.0, (5, 5)).tolist()))
        winner = max(values, key=lambda name: statistics.fmean(values[name]))
        own.append(statistics.fmean(values[winner]))
        held_out.append(statistics.fmean(held_out_values(values, winner, sign=1.0)))

    # All are worth 0; the best of five means of five is 1.16 / sqrt(5) on average.
    assert statistics.fmean(own) == pytest.approx(0.52, abs=0.05)
    assert statistics.fmean(held_out) == pytest.approx(0.0, abs=0.12)
