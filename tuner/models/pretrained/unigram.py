"""SentencePiece's unigram segmentation: the most probable way to cut a text into known pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["UnigramTokenizer"]

_SPACE = "\u2581"  # SentencePiece's sign for a blank
_UNKNOWN_PENALTY = 10.0  # kUnkPenalty in SentencePiece's unigram_model.cc


class UnigramTokenizer:
    """Cuts texts into the pieces whose scores add up to the most.

    Parameters
    ----------
    pieces
        Piece to (id, score); scores are natural logarithms of probabilities.
    unknown
        Id for a character that no piece holds.
    normalization
        Code point to its replacement, as for `str.translate`.

    Notes
    -----
    Kudo 2018, arXiv:1804.10959, section 3.2: the Viterbi path under the unigram model.
    """

    def __init__(
        self,
        pieces: Mapping[str, tuple[int, float]],
        *,
        unknown: int,
        normalization: Mapping[int, str],
    ) -> None:
        self._pieces = pieces
        self._unknown = unknown
        self._normalization = normalization
        self._longest = max(map(len, pieces), default=1)
        lowest = min((score for _, score in pieces.values()), default=0.0)
        self._unknown_score = lowest - _UNKNOWN_PENALTY

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text's pieces."""
        return [self._cut(self._prepare(text)) for text in texts]

    def _prepare(self, text: str) -> str:
        text = re.sub(" {2,}", " ", text.translate(self._normalization))
        return (text if text.startswith(" ") else f" {text}").replace(" ", _SPACE)

    def _cut(self, text: str) -> list[int]:
        n = len(text)
        best = [0.0] + [float("-inf")] * n  # of the text up to this place
        came_from = [0] * (n + 1)
        by_piece = [self._unknown] * (n + 1)
        for start in range(n):
            score = best[start]
            for stop in range(start + 1, min(n, start + self._longest) + 1):
                found = self._pieces.get(text[start:stop])
                if found is not None and score + found[1] > best[stop]:
                    best[stop] = score + found[1]
                    came_from[stop], by_piece[stop] = start, found[0]
            if score + self._unknown_score > best[start + 1]:
                best[start + 1] = score + self._unknown_score
                came_from[start + 1], by_piece[start + 1] = start, self._unknown
        ids: list[int] = []
        place = n
        while place > 0:
            ids.append(by_piece[place])
            place = came_from[place]
        return ids[::-1]
