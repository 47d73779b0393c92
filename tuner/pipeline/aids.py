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

__all__ = ["Aids"]

_log = logging.getLogger(__name__)


class Aids:
    """Makes them when a trial first asks, and keeps those of the last features.

    Parameters
    ----------
    study
        Of the whole study, for a fold of it: a file of vectors is read once.
    """

    def __init__(self, study: Aids | None = None) -> None:
        self._study = study
        self._files: dict[str, WordVectors] = {}
        self._starts: dict[str, tuple[Encoder, EmbeddingStart, Coverage]] = {}
        self._replacements: tuple[Encoder, Replacements] | None = None

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
        if path not in self._starts or self._starts[path][0] is not encoder:
            start, coverage = self._file(path, tokens).start(encoder.vocabulary, train)
            self._starts[path] = (encoder, start, coverage)
            if self._study is None:
                _log.info(
                    "%s: vectors for %d of %d words, which are %.1f %% of the train tokens",
                    path,
                    coverage.n_found,
                    coverage.n_words,
                    100 * coverage.token_share,
                )
        _, start, coverage = self._starts[path]
        return start, coverage

    def replacements(
        self, settings: Settings, encoder: Encoder, train: Encoded
    ) -> Replacements | None:
        """Give what train tokens may be replaced by; None where nothing is augmented."""
        if not settings.augmentation.is_on:
            return None
        if self._replacements is None or self._replacements[0] is not encoder:
            made = fit_replacements(
                encoder.vocabulary, train, ngrams=encoder.ngrams, subwords=encoder.subwords
            )
            self._replacements = (encoder, made)
        return self._replacements[1]

    def _file(self, path: str, tokens: PackedTokens) -> WordVectors:
        if self._study is not None:
            return self._study._file(path, tokens)
        if path not in self._files:
            self._files[path] = read_vectors(path, frozenset(tokens.lexicon))
        return self._files[path]
