"""The end of a study is rehearsed on a few rows of train."""

from __future__ import annotations

import pytest

from tests.conftest import make_rows
from tuner.config import Settings
from tuner.persist import Cache
from tuner.pipeline import Pipeline
from tuner.records import Document, SearchParts
from tuner.service.ending_cost import rehearse


def pipeline(rows, tmp_path, *, n_test=100):
    documents = tuple(Document(text, label, "a.csv", n) for n, (text, label) in enumerate(rows))
    classes = tuple(sorted({label for _, label in rows}))
    parts = SearchParts(documents, documents[:100], documents[:100], classes, "0" * 64, n_test)
    return Pipeline(parts, Cache(tmp_path / "cache"))


class Ticking:
    """A clock that shows a second more at every look, so that everything timed takes one."""

    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_each_part_of_the_end_grows_with_its_own_rows(tmp_path):
    rows = make_rows(1_000)

    few, more_test = (
        rehearse(pipeline(rows, tmp_path, n_test=n), Settings(), clock=Ticking()).rehearsed
        for n in (100, 600)
    )
    more_train = rehearse(
        pipeline(make_rows(2_000), tmp_path), Settings(), clock=Ticking()
    ).rehearsed

    # For 500 rows a second each. Test: cut twice, predicted, 5 intervals and 4 comparisons.
    assert more_test - few == pytest.approx(1 + 1 + 1 + 9)
    # Train: cut, two models, predicted, near-duplicates and words for the label suspects.
    assert more_train - few == pytest.approx(2 * (1 + 2 + 1 + 1 + 1))


def test_one_class_alone_has_nothing_to_rehearse(tmp_path):
    rows = [(text, "正面") for text, _ in make_rows(50)]

    assert rehearse(pipeline(rows, tmp_path), Settings()).rehearsed == 0.0
