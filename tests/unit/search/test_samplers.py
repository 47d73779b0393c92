"""What each sampler proposes, and what it refuses."""

from __future__ import annotations

import importlib.util

import optuna
import pytest

from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.config import SamplerSettings, load_settings
from tuner.errors import ConfigError
from tuner.search import Search, check_sampler
from tuner.search.sampler import build_sampler, excerpt
from tuner.search.space import distributions, suggest

RANGES = (
    ("space.training.learning_rate", {"low": 0.001, "high": 0.1, "log": True}),
    ("space.model.dropout", {"low": 0.0, "high": 0.6}),
    ("space.training.batch_size", {"low": 8, "high": 64}),
)
OTHERS = (
    "training.fine_tune_scale", "regularization.l1", "regularization.l2",
    "model.token_dropout", "model.pooling_power", "model.frozen_depth",
)  # fmt: skip
ONLY = tuple((f"space.{name}", "off") for name in OTHERS)
SMALL_GRID = (
    ("sampler.name", "grid"),
    *ONLY,
    ("space.training.learning_rate", {"choices": [0.002, 0.02]}),
    ("space.model.dropout", {"low": 0.1, "high": 0.5, "step": 0.2}),
)


def settings(*overrides):
    return load_settings(overrides=overrides)


def proposals(name, numbers, *, study_seed=0):
    """Parameters of some trials, each asked for in a study of its own."""
    space = distributions(settings(*ONLY, *RANGES))
    study = optuna.create_study(direction="maximize")
    found = []
    for number in numbers:
        study.sampler = build_sampler(
            SamplerSettings(name=name, startup_trials=3),
            space,
            study_seed=study_seed,
            number=number,
        )
        trial = study.ask()
        found.append(suggest(trial, space))
        study.tell(trial, -abs(found[-1]["model.dropout"] - 0.3))
    return found


def installed_samplers():
    names = ["tpe", "random", "cmaes", "qmc"]
    return [*names, "gp"] if importlib.util.find_spec("torch") else names


@pytest.mark.filterwarnings("ignore:CUDA initialization")  # PyTorch, where a driver is half there
@pytest.mark.parametrize("name", installed_samplers())
def test_same_seeds_propose_the_same_and_others_something_else(name):
    first = proposals(name, range(6))

    assert proposals(name, range(6)) == first
    assert proposals(name, range(6), study_seed=1) != first
    assert len({trial["model.dropout"] for trial in first}) == 6


def test_qmc_takes_its_point_from_the_trial_number_whoever_asks():
    sequence = proposals("qmc", range(8))

    assert proposals("qmc", [5]) == [sequence[5]]
    # A Sobol sequence puts one of its first 8 points into every eighth of a range.
    assert sorted(int(trial["model.dropout"] / 0.6 * 8) for trial in sequence) == list(range(8))


def search(tmp_path, *overrides, name="s"):
    return Search(
        settings(("pruner.name", "none"), *overrides),
        fingerprint="f",
        storage_url=f"sqlite:///{tmp_path / 't.db'}",
        study_name=name,
    )


def run(found, total, run_trial=run_fake):
    return found.run(
        run_trial,
        total=total,
        progress=Quiet(),
        stop_requested=lambda: None,
        store=NoStore(),
    )


def points(found):
    return [tuple(t.params.values()) for t in found.trials() if t.state == "complete"]


def test_grid_tries_every_combination_once_and_says_that_it_is_exhausted(tmp_path):
    found = search(tmp_path, *SMALL_GRID)

    assert run(found, 20) == "exhausted"
    expected = {(rate, dropout) for rate in (0.002, 0.02) for dropout in (0.1, 0.3, 0.5)}
    assert len(points(found)) == 6
    assert {(rate, round(dropout, 9)) for rate, dropout in points(found)} == expected
    found.close()


def test_continued_grid_goes_on_where_it_stopped(tmp_path):
    first = search(tmp_path, *SMALL_GRID)
    assert run(first, 4) == "complete"
    first.close()
    second = search(tmp_path, *SMALL_GRID)

    assert run(second, 6) == "complete"
    assert len(set(points(second))) == 6
    second.close()


def test_interrupted_point_of_a_grid_is_run_again(tmp_path):
    from tuner.errors import Interrupted

    interrupted = []

    def run_and_interrupt(trial_settings, **rest):
        if not interrupted:
            interrupted.append(trial_settings)
            raise Interrupted(15)
        return run_fake(trial_settings, **rest)

    found = search(tmp_path, *SMALL_GRID)
    with pytest.raises(Interrupted):
        run(found, 20, run_and_interrupt)

    assert run(found, 20, run_and_interrupt) == "exhausted"
    assert len(set(points(found))) == len(points(found)) == 6
    found.close()


@pytest.mark.filterwarnings("ignore:CUDA initialization")
@pytest.mark.parametrize("name", installed_samplers())
def test_study_runs_to_its_total(tmp_path, name):
    found = search(tmp_path, *ONLY, *RANGES, ("sampler.name", name))

    assert run(found, 14) == "complete"
    assert found.counts()["complete"] == 14
    found.close()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((("sampler.name", "grid"),), r"space\.training\.learning_rate: the sampler grid needs"),
        (
            (("sampler.name", "grid"), *ONLY, ("space.training.learning_rate", "off"),
             ("space.model.dropout", {"low": 0.0, "high": 0.9, "step": 1e-6}),
             ("space.training.batch_size", {"low": 1, "high": 64})),
            "at most 1,000,000 combinations; got 57,600,064",
        ),
        (
            (("sampler.name", "cmaes"), ("space.model.backbone", {"choices": ["average"]})),
            r"space\.model\.backbone: the sampler cmaes searches ranges",
        ),
        (
            (("sampler.name", "cmaes"), *ONLY, ("space.model.dropout", "off")),
            "at least two searched settings.*got training.learning_rate",
        ),
        ((("sampler.name", "tpee"),), "Did you mean 'tpe'"),
    ],
)  # fmt: skip
def test_sampler_refuses_a_space_that_it_cannot_serve(overrides, words):
    with pytest.raises(ConfigError, match=words):
        check_sampler(settings(*overrides))


def test_gp_without_its_extra_is_refused_with_the_command_that_helps(monkeypatch):
    monkeypatch.setattr("tuner.search.sampler.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r"sampler\.name 'gp'.*pip install 'tuner\[gp\]'"):
        check_sampler(settings(("sampler.name", "gp")))


def test_tpe_learns_in_a_study_once_enough_trials_are_finished(tmp_path):
    search = Search(
        settings(*ONLY, *RANGES, ("sampler.startup_trials", 4)), fingerprint="f",
        storage_url=f"sqlite:///{tmp_path / 's.db'}", study_name="s",
    )  # fmt: skip
    search.run(
        run_fake, total=8, progress=Quiet(), stop_requested=lambda: None,
        store=NoStore(),
    )  # fmt: skip
    search.close()

    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 's.db'}")
    drawn_by_tpe = [
        trial.number for trial in study.trials
        if any(name.startswith("tpe:relative_params") for name in trial.system_attrs)
    ]  # fmt: skip
    assert drawn_by_tpe == [4, 5, 6, 7]


def test_tpe_reads_the_best_and_the_latest_of_many_trials():
    study = optuna.create_study(direction="maximize")
    distribution = {"x": optuna.distributions.FloatDistribution(0.0, 1.0)}
    values = [1.0 if number in (7, 300) else number / 10_000 for number in range(900)]
    study.add_trials(
        [
            optuna.trial.create_trial(value=v, params={"x": 0.5}, distributions=distribution)
            for v in values
        ]
    )

    read = [trial.number for trial in excerpt(study, study.get_trials())]

    assert len(read) == 500
    assert read[-400:] == list(range(500, 900))
    assert {7, 300} <= set(read)
    assert read == sorted(read)
