"""Change train texts at random, so that no epoch sees the same text twice."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tuner.config import AugmentationSettings

__all__ = ["ReplacementTables", "augment"]

UNKNOWN = 1


class ReplacementTables(Protocol):
    """Tables by token id, see `tuner.features.Replacements`."""

    @property
    def neighbours(self) -> npt.NDArray[np.int32]:
        """Tokens that stand among the same words, (vocabulary_size, n)."""

    @property
    def misspellings(self) -> npt.NDArray[np.int32]:
        """Tokens that differ by one character, (vocabulary_size, n)."""

    @property
    def pair_keys(self) -> npt.NDArray[np.int64]:
        """First token times vocabulary_size plus second, of every known pair, rising."""

    @property
    def pair_ids(self) -> npt.NDArray[np.int32]:
        """Tokens of these pairs."""

    @property
    def ngrams(self) -> int:
        """2 where pairs stand behind the tokens they open, else 1."""


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
        (n, length), 0 behind the text; with pairs, each stands behind the token it opens.
    settings
        The share of texts that are changed, and per kind the chance of each of their tokens.
    tables
        What a token may be replaced by.
    generator
        Source of the changes; the same state gives the same texts.

    Returns
    -------
    ndarray (n, length)
        As `token_ids`; every text keeps at least one token, and its pairs are made anew.

    Notes
    -----
    Wei and Zou 2019, "EDA: Easy Data Augmentation Techniques", arXiv:1901.11196, section 2, with
    neighbours of the corpus in place of a thesaurus, and character noise besides. Where EDA
    exchanges two words several times, here the tokens drawn move on to the next drawn place.
    """
    rows = np.flatnonzero(generator.random(len(token_ids)) < settings.share)
    if not len(rows):
        return token_ids
    singles = token_ids[rows, :: tables.ngrams].astype(np.int64)
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
    out[rows] = singles if tables.ngrams == 1 else _with_pairs(singles, tables, out.shape[1])
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
    kept = np.where(kept.any(axis=1, keepdims=True), kept, singles != 0)
    out = np.zeros_like(singles)
    rows, places = np.nonzero(kept)
    out[rows, (np.cumsum(kept, axis=1) - 1)[rows, places]] = singles[rows, places]
    return out


def _with_pairs(
    singles: npt.NDArray[np.int64], tables: ReplacementTables, length: int
) -> npt.NDArray[np.int64]:
    """Put behind each token the pair it opens, as `tuner.features` does."""
    out = np.zeros((len(singles), 2 * singles.shape[1]), np.int64)
    out[:, ::2] = singles
    first, second = singles[:, :-1], singles[:, 1:]
    pairs = np.full(first.shape, UNKNOWN, np.int64)
    if len(tables.pair_keys):
        keys = first * len(tables.neighbours) + second
        places = np.minimum(np.searchsorted(tables.pair_keys, keys), len(tables.pair_keys) - 1)
        pairs = np.where(tables.pair_keys[places] == keys, tables.pair_ids[places], UNKNOWN)
    out[:, 1:-1:2] = np.where(second != 0, pairs, 0)
    return out[:, :length]
