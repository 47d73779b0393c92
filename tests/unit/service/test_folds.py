"""Folds of a confirmation: every open row is judged once, none is on two sides."""

from __future__ import annotations

import pytest

from tests.conftest import make_rows
from tuner.records import Document, SearchParts
from tuner.service.folds import Folds


@pytest.fixture
def folds():
    rows = [Document(text, label, "a.csv", n) for n, (text, label) in enumerate(make_rows(90))]
    rows += [Document(row.text, row.label, "b.csv", row.line) for row in rows[:6]]  # copies
    parts = SearchParts(
        tuple(rows[:60]), tuple(rows[60:76]), tuple(rows[76:]), ("正面", "负面"), "0" * 64, 9
    )
    dealt = Folds(parts, 4, seed=3)
    return [dealt.fold(number) for number in range(4)]


def test_every_open_row_is_in_one_selection_and_in_one_part_of_each_fold(folds):
    assert sorted(row for fold in folds for row in fold.selection) == list(range(96))
    for fold in folds:
        assert sorted(fold.train + fold.validation + fold.selection) == list(range(96))
        assert len(fold.validation) == pytest.approx(16, abs=3)


def test_copies_are_never_on_two_sides(folds):
    for fold in folds:
        for part in (fold.train, fold.validation, fold.selection):
            assert {row for row in range(6) if row in part} == {
                row - 90 for row in range(90, 96) if row in part
            }
