"""Cross-validation folds over the open rows of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuner.corpus import duplicate_key, near_duplicate_groups
from tuner.pipeline import Fold
from tuner.records import SearchParts
from tuner.split import assign_parts, deal_folds

__all__ = ["Folds"]


class Folds:
    """Train, validation and selection dealt anew: every open row is in one fold's selection.

    Class shares are kept and duplicate groups stay whole, as in the study's own split. A class
    with one group of duplicates alone is always trained on.

    Parameters
    ----------
    parts
        Of the study.
    n_folds
        Folds, at least 2.
    seed
        Another seed deals the groups in another order.
    """

    def __init__(self, parts: SearchParts, n_folds: int, *, seed: int) -> None:
        documents = [*parts.train, *parts.validation, *parts.selection]
        self._labels = [document.label for document in documents]
        self._keys = [duplicate_key(document.text) for document in documents]
        self._groups = near_duplicate_groups(self._keys)
        self._seed = seed
        self._validation = len(parts.validation) / (len(parts.train) + len(parts.validation))
        self._fold_of = deal_folds(
            self._keys, self._labels, self._groups, n_folds=n_folds, seed=seed
        )
        self._dealt: dict[int, Fold] = {}

    def fold(self, number: int) -> Fold:
        """Give a fold, counted from 0."""
        if number not in self._dealt:
            self._dealt[number] = self._deal(number)
        return self._dealt[number]

    def _deal(self, number: int) -> Fold:
        rest = [row for row, fold in enumerate(self._fold_of) if fold != number]
        shares = {"train": 1.0 - self._validation, "validation": self._validation}
        part_of = dict(zip(rest, self._assign(rest, shares), strict=True))
        return Fold(
            train=tuple(row for row in rest if part_of[row] == "train"),
            validation=tuple(row for row in rest if part_of[row] == "validation"),
            selection=tuple(row for row, fold in enumerate(self._fold_of) if fold == number),
        )

    def _assign(self, rows: Sequence[int], shares: Mapping[str, float]) -> list[str]:
        return assign_parts(
            [self._keys[row] for row in rows],
            [self._labels[row] for row in rows],
            [self._groups[row] for row in rows],
            shares=shares,
            seed=self._seed,
        )
