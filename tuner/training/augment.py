"""Change train texts at random, so that no epoch sees the same text twice."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tuner.config import AugmentationSettings

__all__ = ["ReplacementTables", "augment"]


class ReplacementTables(Protocol):
    """Tables by token id, see `tuner.features.Replacements`."""

    @property
    def neighbours(self) -> npt.NDArray[np.int32]:
        """Tokens that stand among the same words, (vocabulary_size, n)."""

    @property
    def misspellings(self) -> npt.NDArray[np.int32]:
        """Tokens that differ by one character, (vocabulary_size, n)."""

    @property
    def is_single(self) -> npt.NDArray[np.bool_]:
        """Whether an id is that of a single token and no n-gram, (vocabulary_size,)."""

    def with_ngrams(self, singles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Put behind each token of some texts (n, length) the n-grams it begins."""


def augment(
    token_ids: npt.NDArray[Any],
    settings: AugmentationSettings,
    tables: ReplacementTables,
    generator: np.random.Generator,
) -> npt.NDArray[Any]:
    """Give changed texts, and leave the caller's as they are.

    Parameters
    ----------
    token_ids
        (n, length), 0 behind the text; n-grams stand behind the token they begin with.
    settings
        The share of texts that are changed, and per kind the chance of each of their tokens.
    tables
        What a token may be replaced by.
    generator
        Source of the changes; the same state gives the same texts.

    Returns
    -------
    ndarray (n, length)
        As `token_ids`; every text keeps at least one token, and its n-grams are made anew.

    Notes
    -----
    Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques", arXiv:1901.11196, section 2, with
    neighbours of the corpus in place of a thesaurus, and character noise besides. Where EDA
    exchanges two words several times, here the tokens drawn move on to the next drawn place.
    """
    rows = np.flatnonzero(generator.random(len(token_ids)) < settings.share)
    if not len(rows):
        return token_ids
    singles = token_ids[rows].astype(np.int64)
    singles = _closed_up(singles, tables.is_single[singles])
    for table, chance in (
        (tables.neighbours, settings.neighbours),
        (tables.misspellings, settings.noise),
    ):
        drawn = (generator.random(singles.shape) < chance) & (singles != 0)
        choice = generator.integers(table.shape[1], size=singles.shape)
        singles = np.where(drawn, table[singles, choice], singles)
    singles = _move(singles, (generator.random(singles.shape) < settings.swap) & (singles != 0))
    singles = _leave_out(singles, generator.random(singles.shape) < settings.deletion)
    out = token_ids.copy()
    out[rows] = tables.with_ngrams(singles)[:, : out.shape[1]]
    return out


def _move(singles: npt.NDArray[np.int64], drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Move each drawn token to the next drawn place of its text, the last one to the first."""
    rows, places = np.nonzero(drawn)
    if not len(rows):
        return singles
    following = np.roll(np.arange(len(rows)), -1)
    is_last = np.append(rows[1:] != rows[:-1], True)
    is_first = np.append(True, rows[1:] != rows[:-1])
    following[is_last] = np.flatnonzero(is_first)
    out = singles.copy()
    out[rows[following], places[following]] = singles[rows, places]
    return out


def _leave_out(
    singles: npt.NDArray[np.int64], drawn: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Leave out the drawn tokens and close up; a text of which all are drawn stays whole."""
    kept = (singles != 0) & ~drawn
    return _closed_up(singles, np.where(kept.any(axis=1, keepdims=True), kept, singles != 0))


def _closed_up(
    token_ids: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Give the kept tokens of each text without gaps, 0 behind them."""
    out = np.zeros_like(token_ids)
    rows, places = np.nonzero(kept)
    out[rows, (np.cumsum(kept, axis=1) - 1)[rows, places]] = token_ids[rows, places]
    return out
