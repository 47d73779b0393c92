"""Every script of `benchmarks/` can be started, and what it asks of the product is there."""

from __future__ import annotations

import subprocess
import sys

import bounded_tpe
import halving
import interval_coverage
import numpy as np
import optimism
import planted_faults
import published
import pytest
import scaling

from tests.conftest import ROOT, environment, make_rows
from tuner.service import ConfirmationPlan

SCRIPTS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
# docs/reliability.md starts these from the clone's folder with `python -m`.
MODULES = ("chaos", "dashboard_refresh", "real_kills", "storage_rates", "thousand_workers")
# One process for all: what is slow is loading TensorFlow.
START = """
import contextlib, importlib, io, sys
from types import ModuleType

for absent in ("fasttext", "keras_tuner"):  # of the extra `bench`
    sys.modules[absent] = ModuleType(absent)
    sys.modules[absent].HyperModel = object

def help_of(name):
    module, said = importlib.import_module(name), io.StringIO()
    if hasattr(module, "main"):
        sys.argv = [module.__file__, "--help"]
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            module.main()
        assert said.getvalue().startswith("usage: "), name

modules, scripts = (names.split(",") for names in sys.argv[1:])
for name in modules:
    help_of(f"benchmarks.{name}")
sys.path.insert(0, "benchmarks")
for name in scripts:
    help_of(name)
print("all can be started")
"""


def test_every_benchmark_starts_as_a_script_and_some_as_modules():
    done = subprocess.run(
        [sys.executable, "-c", START, ",".join(MODULES), ",".join(SCRIPTS)],
        cwd=ROOT, env=environment(), capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip

    assert done.stdout == "all can be started\n", done.stderr


def test_halving_tells_when_a_curve_is_ahead_first_and_for_good():
    curve = [[1.0, 0.5], [2.0, 0.9], [3.0, 0.7], [4.0, 0.8], [5.0, 0.9]]

    assert halving.ahead(curve, 0.8) == {"first_ahead_seconds": 2.0, "ahead_for_good_seconds": 4.0}
    assert halving.ahead(curve, 1.0) == dict.fromkeys(halving.ahead(curve, 1.0))


def test_bounded_tpe_asks_the_sampler_of_the_product():
    found = bounded_tpe.run(0, 12, 10)

    assert found.keys() == set(bounded_tpe.FIGURES)
    assert found["mean_behind"] <= found["best_behind"] <= 0.9
    assert found == {**bounded_tpe.run(0, 12, 10), "seconds": found["seconds"]}


@pytest.mark.parametrize("question", interval_coverage.QUESTIONS)
def test_interval_coverage_counts_over_the_samples(question):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400).astype(np.int32)
    wrong = generator.random((3, 400)) < 0.2
    predicted = np.where(wrong, 1 - labels, labels).astype(np.int32)
    probabilities = np.where(np.eye(2)[predicted[0]] == 1, 0.8, 0.2).astype(np.float32)
    pool = interval_coverage.Population(labels, predicted, probabilities, 2)
    cell = interval_coverage.Cell("toy", 100, "stratified", question, 20, 200, 0)

    hits = interval_coverage.measure(pool, cell)["hits"]

    assert {0, *hits.values()} <= set(range(21))
    for name in interval_coverage.COVERED.get(question, ()):
        assert sum(hits[f"{name} {each}"] for each in ("covered", "too low", "too high")) == 20
        assert hits[f"{name} covered"] >= 15


def test_published_studies_keep_the_files_they_are_given(tmp_path):
    (tmp_path / "validation.csv").touch()

    settings = published.settings_for("trec", "linear", tmp_path, ["training.epochs=7"])

    assert settings.data.validation == str(tmp_path / "validation.csv")
    assert (settings.model.backbone, settings.training.epochs) == ("linear", 7)
    assert published.confirmation_of("none") is None
    assert published.confirmation_of("2:5") == ConfirmationPlan(2, 5)


def test_optimism_is_the_mean_over_the_sets_of_value_minus_test():
    cell = {"search_best": 0.93, "search": 0.92, "confirmed": 0.9, "seeds": [0.9, 0.92],
            "confirmation": {"winner_mean": 0.91}, "sealed_reads": 1, "kind": "seeds"}  # fmt: skip
    cells = [
        {**cell, "set": name, "test": test}
        for name, tests in {"trec": (0.89, 0.91), "sst2": (0.9, 0.92)}.items()
        for test in tests
    ]

    lines = {line.split("|")[1].strip(): line for line in optimism.summary(cells) if "|" in line}

    assert lines["best search value - test"].startswith("| best search value - test | +3.00 | +2.")
    assert "| +0.00 | -1.00 | -0.50 |" in lines["confirmed - test"]


def test_scaling_measures_trials_of_the_product():
    prepared = scaling.data(200, 2, 10)

    assert scaling.trial_seconds(prepared, 0) > 0


@pytest.fixture(scope="module")
def corpus():
    both = zip(make_rows(400), make_rows(400, seed=1), strict=True)
    rows = [(text + more, label) for (text, label), (more, _) in both]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(planted_faults.SETS, "toy", lambda _: rows)
        return planted_faults.Corpus("toy", ROOT)


def test_planted_faults_are_counted(corpus):
    near = planted_faults.near_duplicates(corpus, "end", 20)
    flipped = planted_faults.flipped_labels(corpus, 5, 0)

    assert near["caught"] == near["planted"] == near["right"] == near["found"] == 20
    assert flipped["planted"] == 20
    assert 10 < flipped["caught"] == flipped["right"]
    assert flipped["found"] == flipped["right"] + len(flipped["wrong_rows"])
    assert planted_faults.wilson(8, 10) == [0.8, 0.4902, 0.9433]
