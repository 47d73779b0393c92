"""How a confirmation is laid out for small and large tables."""

from __future__ import annotations

import pytest

from tuner.records import Document, SearchParts
from tuner.service.confirm import kind_for, n_folds_for


def parts(n_train, n_validation, n_selection):
    rows = [
        tuple(Document(f"{name} {number}", "x", "a.csv", number) for number in range(n))
        for name, n in (("t", n_train), ("v", n_validation), ("s", n_selection))
    ]
    return SearchParts(*rows, ("x", "y"), "0" * 64, 100)


@pytest.mark.parametrize(("n_selection", "kind"), [(1_999, "cross_validation"), (2_000, "seeds")])
def test_a_small_selection_part_is_not_trusted_to_rank_alone(n_selection, kind):
    assert kind_for(parts(100, 100, n_selection)) == kind


def test_folds_are_as_large_as_selection_so_that_train_keeps_its_size():
    assert n_folds_for(parts(600, 150, 100)) == 8  # 850 / 100, and 850 / 8 = 106 rows a fold


def test_there_are_three_folds_at_least():
    assert n_folds_for(parts(50, 50, 100)) == 3
