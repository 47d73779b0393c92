"""What the benchmarks count for whom, worked out by hand."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import choices
import halving
import pytest
import scaling


@pytest.fixture
def race(monkeypatch):
    # Of the extra `bench`; nothing is to be searched with it here.
    rival = ModuleType("keras_tuner")
    rival.HyperModel = object
    monkeypatch.setitem(sys.modules, "keras_tuner", rival)
    return importlib.import_module("keras_tuner_race")


def test_choices_are_scored_on_every_class_of_a_sorted_train_file_and_never_on_test(
    tmp_path, monkeypatch
):
    train = [(f"train text {number}", f"class {number // 1_000}") for number in range(7_000)]
    test = [(f"test text {number}", "class 0") for number in range(3_000)]
    monkeypatch.setitem(choices.SETS, "sorted", lambda _: {"train": train, "test": test})

    small, scoring = choices.parts_of(tmp_path, "sorted", 400)
    large, again = choices.parts_of(tmp_path, "sorted", 3_000)

    assert scoring == again
    assert {document.label for document in scoring} == {f"class {n}" for n in range(7)}
    texts = [
        {document.text for document in part} for part in (large.train, large.validation, scoring)
    ]
    assert [len(each) for each in texts] == [3_000, 750, 2_000]
    assert len(set.union(*texts)) == 5_750
    assert all(text.startswith("train") for text in set.union(*texts))
    assert large.train[:400] == small.train


def test_tuner_is_followed_by_the_trial_that_validation_would_have_taken(tmp_path, monkeypatch):
    trials = [
        SimpleNamespace(value=value, attributes={"validation": {"macro_f1": validation}})
        for value, validation in ((0.80, 0.7), (0.90, 0.6), (0.85, 0.8), (0.95, 0.75))
    ]
    # The clock goes on by a second at every look; the last one ends the search.
    clock = iter(range(100))
    monkeypatch.setattr(halving.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(halving, "open_bench", lambda *_: None)
    left = iter(trials)
    loop = SimpleNamespace(run_one=lambda: next(left))
    monkeypatch.setattr(halving, "TunerLoop", lambda *_: loop)

    curve = halving.own("any", tmp_path, 0, 8)

    assert [value for _, value in curve] == [0.80, 0.80, 0.85, 0.85]


def test_ahead_once_is_not_ahead_for_good():
    curve = [[1.0, 0.5], [2.0, 0.9], [3.0, 0.7], [4.0, 0.8], [5.0, 0.9]]

    assert halving.ahead(curve, 0.8) == {
        "first_ahead_seconds": 2.0, "ahead_for_good_seconds": 4.0,
    }  # fmt: skip
    assert set(halving.ahead(curve, 0.95).values()) == {None}


def test_a_race_that_is_not_won_counts_as_a_bound_and_is_named(race):
    won = {**race.reached("tuner", [(10.0, 0.8), (20.0, 0.9)], 0.85)}
    lost = {**race.reached("tuner", [(10.0, 0.8), (3_600.0, 0.81)], 0.85)}
    clocks = {"rival_seconds": 400.0, "rival_seconds_until_best": 40.0}

    found = race.summary([{**won, **clocks}, {**lost, **clocks}, {**won, **clocks}])

    assert won == {"tuner_seconds": 20.0, "tuner_trials": 2, "tuner_reached": True}
    assert lost == {"tuner_seconds": 3_600.0, "tuner_trials": 2, "tuner_reached": False}
    assert found == {
        "seeds": 3,
        "tuner": {
            "median_ratios": {"rival_seconds": 20.0, "rival_seconds_until_best": 2.0},
            "not_reached": 1,
        },
    }


def test_pace_is_that_behind_the_trials_that_compile():
    assert scaling.pace([5.0, 9.0, 10.0, 11.0, 13.0], warm=2) == 3 * 3_600 / 4
