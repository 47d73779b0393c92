"""Folds of a confirmation: every open row is judged once, none is on two sides."""

from __future__ import annotations

import pytest

from tests.conftest import make_rows
from tuner.records import Document, SearchParts
from tuner.service.confirm import n_folds_for
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


@pytest.mark.parametrize(
    "sizes",
    [
        [20] * 77,
        [500 // (n + 1) + 2 for n in range(100)],
        [100, 100] + [2] * 100,
        [4, 4] + [2] * 12,
    ],
)
def test_folds_of_many_small_classes_are_of_selections_size(sizes):
    rows = [
        Document(f"text {label} {n} " + "abcdefgh"[n % 8] * 3, str(label), "a.csv", n)
        for label, size in enumerate(sizes)
        for n in range(size)
    ]
    n = len(rows)
    selection = max(2, n // 8)
    parts = SearchParts(
        tuple(rows[: n - 2 * selection]), tuple(rows[n - 2 * selection : n - selection]),
        tuple(rows[n - selection :]), tuple(map(str, range(len(sizes)))), "0" * 64, 9,
    )  # fmt: skip
    n_folds = n_folds_for(parts)

    dealt = Folds(parts, n_folds, seed=3)
    folds = [dealt.fold(number) for number in range(n_folds)]

    assert [len(fold.selection) for fold in folds] == pytest.approx([n / n_folds] * n_folds, abs=1)
    for fold in folds:
        assert {rows[row].label for row in fold.train} == set(parts.classes)


def test_the_only_row_of_a_class_is_always_trained_on(folds):
    rows = [Document(f"text {n} of a table", "ab"[n % 2], "a.csv", n) for n in range(40)]
    rows += [Document("something else", "c", "a.csv", 40)]
    parts = SearchParts(
        tuple(rows[:30]), tuple(rows[30:35]), tuple(rows[35:]), ("a", "b", "c"), "0" * 64, 9
    )

    dealt = Folds(parts, 5, seed=3)

    for number in range(5):
        assert 40 in dealt.fold(number).train


def test_copies_are_never_on_two_sides(folds):
    for fold in folds:
        for part in (fold.train, fold.validation, fold.selection):
            assert {row for row in range(6) if row in part} == {
                row - 90 for row in range(90, 96) if row in part
            }
