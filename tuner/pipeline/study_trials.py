"""Trials of a study, on its own parts or on a fold of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.config import Settings, with_files_here
from tuner.pipeline.trials import Pipeline
from tuner.records import SearchParts, TrialOutcome

__all__ = ["Fold", "StudyTrials"]


@dataclass(frozen=True, slots=True)
class Fold:
    """The open rows of a study dealt anew.

    Each part names its rows, counted from 0 through train, validation and selection of the study.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    selection: tuple[int, ...]


class StudyTrials:
    """Runs trials on the parts of a study or on folds; the last fold's features are kept.

    Parameters
    ----------
    pipeline
        Of the study; its tokens are used again, everything fitted is fitted anew in each fold.
    files
        Where files that the settings name lie here, by their path there.
    """

    def __init__(self, pipeline: Pipeline, *, files: Mapping[str, str] | None = None) -> None:
        self._study = pipeline
        self._files = files or {}
        self._last: tuple[Fold, Pipeline] | None = None

    def run_trial(
        self, settings: Settings, *, fold: Fold | None = None, **given: Any
    ) -> TrialOutcome:
        """Run one configuration once, on the study's own parts where no fold is given.

        `given` goes to `Pipeline.run_trial` as it is.
        """
        pipeline = self._study if fold is None else self._pipeline(fold)
        return pipeline.run_trial(with_files_here(settings, self._files), **given)

    def _pipeline(self, fold: Fold) -> Pipeline:
        if self._last is None or self._last[0] != fold:
            parts = self._study.parts
            rows = [*parts.train, *parts.validation, *parts.selection]
            self._last = None  # before the next one takes its memory
            made = self._study.on(
                SearchParts(
                    train=tuple(rows[row] for row in fold.train),
                    validation=tuple(rows[row] for row in fold.validation),
                    selection=tuple(rows[row] for row in fold.selection),
                    classes=parts.classes,
                    fingerprint=parts.fingerprint,
                    n_test=parts.n_test,
                )
            )
            self._last = (fold, made)
        return self._last[1]
