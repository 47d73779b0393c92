"""Rows whose label is doubted, as `tuner check` and the end of every study list them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.config import Settings
from tuner.corpus import duplicate_key, near_duplicate_groups
from tuner.doctor import find_label_noise
from tuner.pipeline import Pipeline
from tuner.records import Document
from tuner.report import BYTE_ORDER_MARK, csv_row_writer

__all__ = [
    "SUSPECTS_FILE",
    "LabelSuspects",
    "SuspectRow",
    "count_judged",
    "find_suspects",
    "sample_rows",
    "shuffled",
    "study_suspects",
    "suspects_csv",
]

ROWS_MAX = 50_000
CHARACTERS_MAX = 4_000_000
CELLS_MAX = 3_000_000  # rows times classes of the model behind the label suspects
ROWS_IN_REPORT = 20
SUSPECTS_FILE = "label_suspects.csv"


@dataclass(frozen=True, slots=True)
class SuspectRow:
    """A document whose label is doubted.

    `suggested` is the likelier class, `self_confidence` the probability of the given label.
    """

    document: Document
    suggested: str
    self_confidence: float

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data; the text is raw."""
        return {
            "file": self.document.source,
            "line": self.document.line,
            "given_label": self.document.label,
            "suggested_label": self.suggested,
            "self_confidence": round(self.self_confidence, 4),
            "text": self.document.text,
        }


@dataclass(frozen=True, slots=True)
class LabelSuspects:
    """Every row whose label is doubted, the surest first, of the `n_judged` looked at."""

    rows: tuple[SuspectRow, ...]
    n_judged: int

    def as_json(self) -> dict[str, Any]:
        """Give what `report.json` says: counts, the file with all, and the surest 20."""
        return {
            "n": len(self.rows),
            "n_judged": self.n_judged,
            "share": len(self.rows) / self.n_judged if self.n_judged else None,
            "file": SUSPECTS_FILE,
            "rows": [row.as_json() for row in self.rows[:ROWS_IN_REPORT]],
        }


def study_suspects(pipeline: Pipeline, settings: Settings) -> LabelSuspects:
    """Look for label noise in train, validation and selection; the sealed test is not looked at.

    Parameters
    ----------
    pipeline
        Of the study; the tokens that the baselines had are used again.
    settings
        Of the study; `split.seed` draws the sample of a large table and deals the folds.
    """
    seed = settings.split.seed
    preprocess = pipeline.with_words(settings.preprocess)
    names = ("train", "validation", "selection")
    documents = [document for name in names for document in getattr(pipeline.parts, name)]
    tokens = [found for name in names for found in pipeline.tokens(preprocess, name)]
    rows = sample_rows(documents, seed=seed)
    documents = [documents[row] for row in rows]
    groups = near_duplicate_groups([duplicate_key(document.text) for document in documents])
    return find_suspects(documents, [tokens[row] for row in rows], groups, seed=seed)


def find_suspects(
    documents: Sequence[Document],
    tokens: Sequence[Sequence[str]],
    groups: Sequence[int],
    *,
    seed: int,
) -> LabelSuspects:
    """Look for label noise in some documents, at most 3 million rows times classes.

    Parameters
    ----------
    tokens, groups
        Tokens and duplicate group of each document.
    seed
        Draws the sample of a larger table, and deals the folds.
    """
    labels = [document.label for document in documents]
    n_judged = _n_judged(len(documents), len(set(labels)))
    judged = sorted(shuffled(len(documents), seed=seed)[:n_judged])
    found = find_label_noise(
        [tokens[row] for row in judged],
        [labels[row] for row in judged],
        [groups[row] for row in judged],
        seed=seed,
    )
    return LabelSuspects(
        tuple(SuspectRow(documents[judged[s.row]], s.suggested, s.self_confidence) for s in found),
        n_judged,
    )


def count_judged(documents: Sequence[Document], *, n_classes: int) -> int:
    """Count the rows that `study_suspects` would look at."""
    return _n_judged(len(sample_rows(documents, seed=0)), n_classes)


def _n_judged(n_rows: int, n_classes: int) -> int:
    return min(n_rows, CELLS_MAX // max(1, n_classes))


def sample_rows(documents: Sequence[Document], *, seed: int) -> list[int]:
    """Choose as many rows as the limits allow, at random, in their order.

    At most 50,000 rows and about 4 million characters.
    """
    n_characters = sum(len(document.text) for document in documents)
    n = min(ROWS_MAX, len(documents) * CHARACTERS_MAX // max(1, n_characters))
    if n >= len(documents):
        return list(range(len(documents)))
    return sorted(shuffled(len(documents), seed=seed)[: max(n, 1)])


def shuffled(n: int, *, seed: int) -> list[int]:
    """Give the numbers below n in a random order."""
    import numpy as np

    return [int(row) for row in np.random.default_rng(seed).permutation(n)]


def suspects_csv(suspects: Sequence[SuspectRow]) -> str:
    """Give the suspects as a table to review, one row each, the surest first.

    It begins with a byte order mark; formulas are neutralised.
    """
    buffer = io.StringIO()
    buffer.write(BYTE_ORDER_MARK)
    write_row = csv_row_writer(buffer)
    names = ("file", "line", "given_label", "suggested_label", "self_confidence", "text")
    write_row(names)
    for suspect in suspects:
        row = suspect.as_json()
        write_row(row[name] for name in names)
    return buffer.getvalue()
