"""What every entry of `METRICS` has to keep, the ones that are added later too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuner.config import load_settings
from tuner.evaluation import score_intervals
from tuner.metrics import METRICS
from tuner.training import score

CLASSES = ["a", "b", "c"]
DOCS = Path(__file__).parents[2] / "docs"


def predictions(right, seed=0):
    """Give labels, predictions of which a share is right, and probabilities to that."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, 3, 120)).astype(np.int32)
    others = (labels + rng.integers(1, 3, 120)).astype(np.int32) % 3
    predicted = np.where(np.arange(120) % 10 < 10 * right, labels, others).astype(np.int32)
    probabilities = np.full((120, 3), 0.1, np.float32)
    probabilities[np.arange(120), predicted] = rng.uniform(0.7, 0.8, 120)
    return labels, predicted, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", METRICS)
def test_is_within_its_range_and_better_for_better_predictions(name):
    metric = METRICS[name]

    poor, good = (
        score(labels, predicted, CLASSES, probabilities=probabilities).value(name)
        for labels, predicted, probabilities in (predictions(0.3), predictions(0.9))
    )

    assert metric.least <= min(poor, good) <= max(poor, good) <= metric.most
    assert (good > poor) == (metric.direction == "maximize")


@pytest.mark.parametrize("name", METRICS)
def test_its_interval_holds_it_and_stays_in_its_range(name):
    labels, predicted, probabilities = predictions(0.9)

    value = score(labels, predicted, CLASSES, probabilities=probabilities).value(name)
    found = score_intervals(labels, predicted, n_classes=3, seed=0, probabilities=probabilities)

    assert METRICS[name].least <= found[name].low < value < found[name].high <= METRICS[name].most


@pytest.mark.parametrize("name", METRICS)
def test_can_be_searched_for_and_is_documented(name):
    settings = load_settings(overrides=[("study.metric", name)])

    assert settings.direction == METRICS[name].direction
    assert f"`{name}`" in (DOCS / "settings.md").read_text(encoding="utf-8")
