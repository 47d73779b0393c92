"""Pieces of words: what an unknown word still has in common with the known ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tuner.packed import ranges

__all__ = ["SUBWORD", "SubwordLengths", "Subwords"]

SUBWORD = "\x1e"
"""Before a piece of a word; never inside a token: control characters are cleaned away."""

SubwordLengths: TypeAlias = tuple[int, int]
"""The shortest and the longest piece in characters, the blank at either end of a word counted."""


class Subwords:
    """The pieces of every word of a list, as numbers.

    Parameters
    ----------
    words
        Any words.
    lengths
        Which pieces a word has: see `SubwordLengths`. A word that is as short as a piece is none.
    number_of
        The numbers of the pieces, with `SUBWORD` before each; others are left out. None numbers
        all pieces of the words by their spelling, see `spelled`.

    Notes
    -----
    Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", TACL 5, section 3.2.

    >>> found = Subwords(["cat", "at"], (3, 3))
    >>> [piece.removeprefix(SUBWORD) for piece in found.spelled]
    [' at', ' ca', 'at ', 'cat']
    >>> found.of(np.array([1, 0]))
    (array([0, 2, 1, 3, 2]), array([2, 3]))
    """

    def __init__(
        self,
        words: Sequence[str],
        lengths: SubwordLengths,
        number_of: Mapping[str, int] | None = None,
    ) -> None:
        if number_of is None:
            pieces = sorted({piece for word in words for piece in _pieces(word, lengths)})
            number_of = {piece: number for number, piece in enumerate(pieces)}
            self.spelled = pieces
        found: list[int] = []
        counts = np.zeros(len(words), np.int64)
        for place, word in enumerate(words):
            before = len(found)
            found += [number_of[piece] for piece in _pieces(word, lengths) if piece in number_of]
            counts[place] = len(found) - before
        self._numbers = np.array(found, np.int64)
        self._counts = counts
        self._starts = np.cumsum(counts) - counts

    def of(
        self, places: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the pieces of some words of the list.

        Parameters
        ----------
        places
            Of the words in the list, (n,).

        Returns
        -------
        ndarray (n_pieces,), ndarray (n,)
            The numbers of their pieces, word by word, and how many each word has.
        """
        counts = self._counts[places]
        return self._numbers[ranges(self._starts[places], counts)], counts

    def put_behind(
        self,
        flat: npt.NDArray[np.int32],
        text_of_flat: npt.NDArray[np.int64],
        places: npt.NDArray[np.integer],
        text_of: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Put the pieces of the words of some texts behind the other ids of their text.

        Parameters
        ----------
        flat, text_of_flat
            Ids, one text after the other, and the number of each one's text, (n,).
        places, text_of
            Of the words of the texts in the list, and the number of each one's text, (n_words,).

        Returns
        -------
        ndarray (n + n_pieces,), ndarray (n + n_pieces,)
            As `flat` and `text_of_flat`; within a text all stays in its order.
        """
        pieces, counts = self.of(places)
        texts = np.concatenate([text_of_flat, np.repeat(text_of, counts)])
        order = np.argsort(texts, kind="stable")
        return np.concatenate([flat, pieces.astype(np.int32)])[order], texts[order]


def _pieces(word: str, lengths: SubwordLengths) -> Iterator[str]:
    padded = f" {word} "
    shortest, longest = lengths
    for start in range(len(padded)):
        for stop in range(start + shortest, min(start + longest, len(padded)) + 1):
            if stop - start < len(padded):
                yield SUBWORD + padded[start:stop]
