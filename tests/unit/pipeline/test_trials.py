"""Trials on one small table: what they learn, what they compile, and what is stored of them."""

import itertools

import numpy as np
import pytest

from tests.conftest import rich_rows
from tests.unit.pipeline.test_stages import parts_of
from tuner.config import load_settings
from tuner.persist import Cache, read_model, write_model
from tuner.pipeline import Pipeline
from tuner.pipeline.model import Model
from tuner.recent import Recent
from tuner.records import TrialSeeds
from tuner.training import program as programs

SEEDS = TrialSeeds(1, 2, 3)


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(parts_of(rich_rows(100)), Cache(tmp_path / "cache"))


def run(pipeline, *changes, report=lambda **_: None):
    settings = load_settings(overrides=[
        ("model.embedding_width", 4), ("training.batch_size", 16),
        ("training.learning_rate", 0.05), ("training.fine_tune_epochs", 0), *changes,
    ])  # fmt: skip
    outcome = pipeline.run_trial(settings, seeds=SEEDS, report=report, stop_requested=lambda: None)
    return settings, outcome


def test_kernels_of_one_size_are_trained_and_stored_apart(pipeline, tmp_path):
    """Zhang and Wallace 2015 advise several of the best size, such as 7, 7, 7."""
    values = []

    def report(*, epochs_completed, value, spent):
        values.append(value)

    settings, outcome = run(
        pipeline, ("model.backbone", "textcnn"), ("model.kernel_sizes", [3, 3]),
        ("model.width", 5), ("training.epochs", 6), ("training.learning_rate", 0.2),
        report=report,
    )  # fmt: skip

    kernels = [value for name, value in outcome.weights.items() if name.endswith("/kernel")]
    assert [kernel.shape for kernel in kernels] == [(3, 4, 5), (3, 4, 5), (10, 2)]
    assert not np.array_equal(kernels[0], kernels[1])
    assert sum(value.size for value in outcome.weights.values()) == outcome.n_parameters
    assert outcome.validation.value("macro_f1") == max(values)
    write_model(tmp_path / "model", pipeline.stored_model(settings, dict(outcome.weights), {}))
    model = Model(read_model(tmp_path / "model"))
    assert model.evaluate(pipeline.parts.validation) == outcome.validation
    assert model.evaluate(pipeline.parts.selection) == outcome.selection
    assert model.probabilities([]).shape == (0, 2)


CUTS = {"preprocess.segmenter": ["jieba", "characters"], "features.ngrams": ["1", "2"]}


@pytest.mark.parametrize(
    ("backbone", "searched"),
    [("average", ["preprocess.segmenter", "features.ngrams"]), ("linear", ["features.ngrams"])],
)
def test_searched_ways_to_cut_texts_share_programs_and_learn_as_without(
    pipeline, tmp_path, backbone, searched, monkeypatch
):
    monkeypatch.setattr(programs, "_programs", Recent(9))
    short = [("model.backbone", backbone), ("training.epochs", 2), ("features.max_tokens", 16)]
    space = [(f"space.{name}", {"choices": CUTS[name]}) for name in searched]

    def trials(pipeline, *changes):
        for choices in itertools.product(*(CUTS[name] for name in searched)):
            fixed = list(zip(searched, choices, strict=True))
            yield run(pipeline, *short, *fixed, *changes)

    together = list(trials(pipeline, *space))
    another = Pipeline(pipeline.parts, Cache(tmp_path / "another"))
    apart = [outcome for _, outcome in trials(another)]

    networks = {name.split(":")[0] for _, outcome in together for name in outcome.spent.programs}
    assert len(networks) == 1
    n_together = sum(outcome.n_traces for _, outcome in together)
    assert n_together < sum(outcome.n_traces for outcome in apart) == 2 * len(apart)
    for (settings, outcome), expected in zip(together, apart, strict=True):
        assert outcome.selection.value("log_loss") == pytest.approx(
            expected.selection.value("log_loss"), rel=1e-4
        )
        stored = pipeline.stored_model(settings, dict(outcome.weights), {})
        (rows,) = [len(value) for name, value in stored.weights.items() if "embeddings" in name]
        assert rows == len(stored.vocabulary) < 1000
        assert outcome.n_parameters == sum(value.size for value in stored.weights.values())
