"""What a trial takes besides its features: word vectors to start from, and replacements."""

from __future__ import annotations

import logging

from tuner.config import Settings
from tuner.features import (
    Coverage,
    EmbeddingStart,
    Encoded,
    Encoder,
    Replacements,
    WordVectors,
    fit_replacements,
    read_vectors,
)
from tuner.packed import PackedTokens
from tuner.recent import Recent

__all__ = ["Aids"]

_log = logging.getLogger(__name__)

_KEPT_IN_MEMORY = 3  # features whose aids are kept: as many as have theirs kept


class Aids:
    """Makes them when a trial first asks, and keeps those of the features used last.

    Parameters
    ----------
    study
        Of the whole study, for a fold of it: a file of vectors is read once.
    """

    def __init__(self, study: Aids | None = None) -> None:
        self._study = study
        self._files: dict[str, tuple[frozenset[str], WordVectors]] = {}
        # By the encoder, which is kept beside: its number stands for it as long as it is.
        self._starts: Recent[tuple[str, int], tuple[Encoder, EmbeddingStart, Coverage]] = Recent(
            _KEPT_IN_MEMORY
        )
        self._replacements: Recent[int, tuple[Encoder, Replacements]] = Recent(_KEPT_IN_MEMORY)

    def embedding_start(
        self, settings: Settings, encoder: Encoder, train: Encoded, tokens: PackedTokens
    ) -> tuple[EmbeddingStart, Coverage] | None:
        """Give the rows that start from `model.vectors`, and their coverage; None without.

        Parameters
        ----------
        train
            The encoded texts of train.
        tokens
            Of all open texts; vectors of their words are read.
        """
        path = settings.model.vectors
        if path == "none":
            return None
        _, start, coverage = self._starts.obtain(
            (path, id(encoder)), lambda: self._start(path, encoder, train, tokens)
        )
        return start, coverage

    def replacements(
        self, settings: Settings, encoder: Encoder, train: Encoded
    ) -> Replacements | None:
        """Give what train tokens may be replaced by; None where nothing is augmented."""
        if not settings.augmentation.is_on:
            return None
        _, found = self._replacements.obtain(
            id(encoder),
            lambda: (
                encoder,
                fit_replacements(
                    encoder.vocabulary, train, ngrams=encoder.ngrams, subwords=encoder.subwords
                ),
            ),
        )
        return found

    def _start(
        self, path: str, encoder: Encoder, train: Encoded, tokens: PackedTokens
    ) -> tuple[Encoder, EmbeddingStart, Coverage]:
        start, coverage = self._vectors(path, tokens).start(encoder.vocabulary, train)
        if self._study is None:
            _log.info(
                "%s: vectors for %d of %d words, which are %.1f %% of the train tokens",
                path,
                coverage.n_found,
                coverage.n_words,
                100 * coverage.token_share,
            )
        return encoder, start, coverage

    def _vectors(self, path: str, tokens: PackedTokens) -> WordVectors:
        """Give the vectors of the words of some tokens, and of those that were asked for before.

        Another segmenter cuts other words, whose vectors were passed over in reading.
        """
        if self._study is not None:
            return self._study._vectors(path, tokens)
        words = frozenset(tokens.lexicon)
        asked, vectors = self._files.get(path, (frozenset(), None))
        if vectors is None or not words <= asked:
            asked |= words
            vectors = read_vectors(path, asked)
            self._files[path] = (asked, vectors)
        return vectors
