import json
import time

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tuner.records import TrialRecord
from tuner.search.importance import parameter_importances

SPACE = {
    "training.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "model.dropout": FloatDistribution(0.0, 0.7),
    "model.frozen_depth": IntDistribution(0, 2),
    "preprocess.segmenter": CategoricalDistribution(("jieba", "characters")),
    "training.batch_size": IntDistribution(64, 64),
}


def record(number, value, params, **changes):
    return TrialRecord(
        **{
            "number": number, "origin": number, "state": "complete", "value": value,
            "params": params, "intermediate": {}, "attributes": {}, "started": None,
            "seconds": 1.0,
        } | changes
    )  # fmt: skip


def random_trials(n, value, *, seed=0):
    """Trials at random places; only what `value` reads of them has an effect."""
    generator = np.random.default_rng(seed)
    trials = []
    for number in range(n):
        params = {
            "training.learning_rate": float(10 ** generator.uniform(-4, -1)),
            "model.dropout": float(generator.uniform(0, 0.7)),
            "model.frozen_depth": int(generator.integers(0, 3)),
            "preprocess.segmenter": str(generator.choice(["jieba", "characters"])),
            "training.batch_size": 64,
        }
        trials.append(record(number, value(params, generator), params))
    return trials


def peak_at_a_hundredth(params, generator):
    distance = np.log10(params["training.learning_rate"]) + 2
    return float(0.9 - 0.1 * distance**2 + generator.normal(0, 0.002))


def noise(_, generator):
    return float(generator.normal(0.9, 0.01))


def estimate(trials, **changes):
    options = {"direction": "maximize", "seed": 0, "n_resamples": 30} | changes
    return parameter_importances(trials, SPACE, **options)


def test_setting_that_decides_comes_first_and_stands_above_chance():
    found = estimate(random_trials(80, peak_at_a_hundredth))

    first, *others = found["parameters"]
    assert first["name"] == "training.learning_rate" and first["above_chance"]
    assert first["importance"] > 0.5 > found["chance"]
    assert 0 <= first["low"] < first["importance"] <= first["high"] <= 1
    assert not any(other["above_chance"] for other in others)
    assert sum(p["importance"] for p in found["parameters"]) == pytest.approx(1)
    assert (found["n_trials"], found["top_trials"], found["reason"]) == (80, 8, None)


def test_search_in_which_nothing_matters_says_so():
    found = estimate(random_trials(60, noise))

    assert len(found["parameters"]) == 4
    assert not any(parameter["above_chance"] for parameter in found["parameters"])


def test_minimised_loss_gives_what_the_maximised_negative_gives():
    trials = random_trials(40, peak_at_a_hundredth)
    losses = [record(t.number, -t.value, t.params) for t in trials]

    assert estimate(losses, direction="minimize") == estimate(trials)


def test_same_seed_gives_the_same_and_the_caller_keeps_its_trials():
    trials = random_trials(20, peak_at_a_hundredth)
    before = [dict(trial.params) for trial in trials]

    assert estimate(trials) == estimate(trials) != estimate(trials, seed=1)
    assert [dict(trial.params) for trial in trials] == before


def test_setting_with_one_value_is_not_listed():
    names = {p["name"] for p in estimate(random_trials(20, noise))["parameters"]}

    assert names == SPACE.keys() - {"training.batch_size"}


def test_few_trials_give_a_reason_and_no_numbers():
    found = estimate(random_trials(9, noise))

    assert found["parameters"] == []
    assert found["reason"] == "needs 10 different complete trials; there are 9"


def test_duplicates_pruned_and_foreign_trials_do_not_count():
    trials = random_trials(10, noise)
    params = trials[0].params
    extra = [
        record(10, 0.9, params, attributes={"duplicate_of": 0}),
        record(11, None, params, state="pruned"),
        record(12, None, params, state="failed"),
        record(13, 0.9, {"model.dropout": 0.1}),
        record(14, 0.9, {**params, "model.dropout": 5.0}),
    ]

    found = estimate(trials + extra)

    assert found["n_trials"] == 10
    assert found["parameters"] == estimate(trials)["parameters"]
    assert any("1 pruned trial " in note for note in found["notes"])


def test_equal_values_give_a_reason():
    found = estimate(random_trials(20, lambda *_: 0.5))

    assert (found["parameters"], found["chance"]) == ([], None)
    assert found["reason"] == "all complete trials have the same value"


def all_but_one_at_a_half(last):
    trials = random_trials(20, lambda *_: 0.5)
    return [*trials[:-1], record(19, last, trials[-1].params)]


def test_best_value_reached_by_all_but_one_gives_numbers_and_no_nan():
    found = estimate(all_but_one_at_a_half(0.1))

    assert found["reason"] is None
    assert sum(p["importance"] for p in found["parameters"]) == pytest.approx(1)
    json.dumps(found, allow_nan=False)


def test_best_trials_that_are_all_trials_as_their_values_are_equal_give_a_reason():
    found = estimate(all_but_one_at_a_half(0.9))

    assert (found["parameters"], found["chance"]) == ([], None)
    assert found["reason"] == "too many complete trials share the best value"


def test_space_of_fixed_settings_gives_a_reason():
    found = parameter_importances(
        random_trials(20, noise), {"training.batch_size": IntDistribution(64, 64)},
        direction="maximize", seed=0,
    )  # fmt: skip

    assert found["reason"] == "no setting was searched"


def test_result_is_plain_json():
    found = estimate(random_trials(12, noise))

    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_hundred_trials_take_seconds():
    trials = random_trials(100, peak_at_a_hundredth)
    start = time.process_time()

    found = estimate(trials, n_resamples=None)

    assert found["n_resamples"] == 100
    assert time.process_time() - start < 10
