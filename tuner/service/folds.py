"""Cross-validation folds over the open rows of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuner.corpus import duplicate_key, near_duplicate_groups
from tuner.pipeline import Pipeline
from tuner.records import Document, SearchParts
from tuner.split import assign_parts

__all__ = ["Folds"]


class Folds:
    """Train, validation and selection dealt anew: every open row is in one fold's selection.

    Class shares are kept and duplicate groups stay whole, as in the study's own split.

    Parameters
    ----------
    pipeline
        Of the study; its tokens are used again, everything fitted is fitted anew in each fold.
    n_folds
        Folds, at least 2.
    seed
        Another seed deals the groups in another order.
    """

    def __init__(self, pipeline: Pipeline, n_folds: int, *, seed: int) -> None:
        parts = pipeline.parts
        self._study = pipeline
        self._documents: list[Document] = [*parts.train, *parts.validation, *parts.selection]
        self._keys = [duplicate_key(document.text) for document in self._documents]
        self._groups = near_duplicate_groups(self._keys)
        self._seed = seed
        self._validation = len(parts.validation) / (len(parts.train) + len(parts.validation))
        names = {str(fold): 1.0 / n_folds for fold in range(n_folds)}
        self._fold_of = self._assign(list(range(len(self._documents))), names)
        self._current: tuple[int, Pipeline] | None = None

    def pipeline(self, fold: int) -> Pipeline:
        """Give the pipeline of a fold, counted from 0; the last one asked for is kept."""
        if self._current is None or self._current[0] != fold:
            self._current = (fold, self._make(fold))
        return self._current[1]

    def _make(self, fold: int) -> Pipeline:
        selection = [row for row, name in enumerate(self._fold_of) if name == str(fold)]
        rest = [row for row, name in enumerate(self._fold_of) if name != str(fold)]
        shares = {"train": 1.0 - self._validation, "validation": self._validation}
        part_of = dict(zip(rest, self._assign(rest, shares), strict=True))
        chosen = {
            name: tuple(self._documents[row] for row in rest if part_of[row] == name)
            for name in shares
        }
        parts = self._study.parts
        return self._study.on(
            SearchParts(
                chosen["train"],
                chosen["validation"],
                tuple(self._documents[row] for row in selection),
                parts.classes,
                parts.fingerprint,
                parts.n_test,
            )
        )

    def _assign(self, rows: Sequence[int], shares: Mapping[str, float]) -> list[str]:
        return assign_parts(
            [self._keys[row] for row in rows],
            [self._documents[row].label for row in rows],
            [self._groups[row] for row in rows],
            shares=shares,
            seed=self._seed,
        )
