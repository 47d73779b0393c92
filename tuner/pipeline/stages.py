"""Documents to features in four stages, each kept in the cache under all that it depends on.

cleaning -> segments -> vocabulary -> encoding. A stage's key holds the key of the one before it,
so changing a setting makes anew what hangs on it and nothing else: another size of the vocabulary
or another list of stop words does not segment again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tuner.config import FeatureSettings, PreprocessSettings, digest
from tuner.features import (
    Encoded,
    Encoder,
    SubwordLengths,
    build_vocabulary,
    encoded_from_arrays,
    encoded_to_arrays,
    fit_length,
    vocabulary_from_arrays,
    vocabulary_to_arrays,
)
from tuner.packed import PackedTexts, PackedTokens
from tuner.persist import ArrayFileWriter, Cache
from tuner.preprocess import (
    clean_texts,
    cleaning_digest,
    segment_texts,
    segmentation_digest,
    stop_words,
)
from tuner.records import StopRequested

__all__ = ["STAGES", "Stages"]

_log = logging.getLogger(__name__)

STAGES = ("cleaning", "segments", "vocabulary", "encoding")
_VERSION = 5  # raised when a stage's output changes for the same settings
_HASHED_AT_ONCE = 10_000
_SECONDS_A_LINE = 5.0

Rows = Mapping[str, npt.NDArray[np.intp]]


class Stages:
    """The stages over the distinct texts of one study.

    Parameters
    ----------
    texts
        Raw texts of the open parts; a text that occurs twice is worked on once.
    cache
        Where the stages' results are kept.
    processes
        Processes for cleaning and segmentation.
    """

    def __init__(self, texts: Sequence[str], cache: Cache, *, processes: int) -> None:
        place_of: dict[str, int] = {}
        self.given = np.fromiter(
            (place_of.setdefault(text, len(place_of)) for text in texts), np.intp, len(texts)
        )
        """Places of `texts` among the distinct ones, (len(texts),)."""
        self._texts = list(place_of)
        self._cache = cache
        self._processes = processes
        self._identity = _texts_digest(self._texts)
        self._tokens: tuple[str, PackedTokens] | None = None

    def rows(self, texts: Sequence[str]) -> npt.NDArray[np.intp]:
        """Give the places of some of the texts among the distinct ones, (len(texts),)."""
        place_of = {text: place for place, text in enumerate(self._texts)}
        return np.fromiter((place_of[text] for text in texts), np.intp, len(texts))

    def tokens(
        self, preprocess: PreprocessSettings, *, stop_requested: StopRequested = lambda: None
    ) -> PackedTokens:
        """Give the tokens of the distinct texts, stop words left out.

        Parameters
        ----------
        preprocess
            With a resolved segmenter.
        stop_requested
            Called now and then; may raise.
        """
        key = self._segments_key(preprocess)
        if self._tokens is None or self._tokens[0] != key:

            def make(writer: ArrayFileWriter) -> None:
                made = segment_texts(
                    self._cleaned(preprocess, stop_requested),
                    preprocess,
                    processes=self._processes,
                    watch=_Progress("segmenting", len(self._texts), stop_requested),
                )
                _put_all(writer, made.to_arrays())

            arrays = self._cache.obtain("segments", key, make, stop_requested=stop_requested)
            self._tokens = (key, PackedTokens.from_arrays(arrays))
        return self._tokens[1].without(stop_words(preprocess.stop_words))

    def features(
        self,
        preprocess: PreprocessSettings,
        settings: FeatureSettings,
        rows: Rows,
        *,
        ngrams: int,
        subwords: SubwordLengths | None,
        stop_requested: StopRequested = lambda: None,
    ) -> tuple[Encoder, dict[str, Encoded]]:
        """Give the encoder fitted on the rows of train, and every part encoded.

        Parameters
        ----------
        rows
            Places of each part's texts, see `given` and `rows`; one part is "train".
        ngrams
            Longest run of tokens that is a feature.
        subwords
            Which pieces of words are features; None for none.
        """
        vocabulary_key = digest(
            [
                self._segments_key(preprocess),
                sorted(stop_words(preprocess.stop_words)),
                _rows_digest(rows["train"]),
                ngrams,
                subwords,
                settings.model_dump(
                    mode="json", include={"vocabulary_size", "min_count", "ngram_min_count"}
                ),
            ]
        )
        encoding_key = digest(
            [
                vocabulary_key,
                {name: _rows_digest(places) for name, places in rows.items()},
                settings.length_percentile,
                settings.max_tokens,
            ]
        )

        def make_vocabulary(writer: ArrayFileWriter) -> None:
            made = build_vocabulary(
                self.tokens(preprocess, stop_requested=stop_requested).take(rows["train"]),
                ngrams=ngrams,
                size=settings.vocabulary_size,
                min_count=settings.min_count,
                ngram_min_count=settings.ngram_min_count,
                subwords=subwords,
            )
            _put_all(writer, vocabulary_to_arrays(made))

        def make_encoding(writer: ArrayFileWriter) -> None:
            tokens = self.tokens(preprocess, stop_requested=stop_requested)
            encoder = Encoder(vocabulary, ngrams, settings.max_tokens, subwords)
            parts = {name: encoder.encode(tokens.take(places)) for name, places in rows.items()}
            length = fit_length(parts["train"], settings)
            parts = {name: encoded.cut(length) for name, encoded in parts.items()}
            _put_all(writer, encoded_to_arrays(parts, max_tokens=length))

        obtain = self._cache.obtain
        vocabulary = vocabulary_from_arrays(
            obtain("vocabulary", vocabulary_key, make_vocabulary, stop_requested=stop_requested)
        )
        parts, max_tokens = encoded_from_arrays(
            obtain("encoding", encoding_key, make_encoding, stop_requested=stop_requested),
            tuple(rows),
        )
        return Encoder(vocabulary, ngrams, max_tokens, subwords), parts

    def _cleaned(
        self, preprocess: PreprocessSettings, stop_requested: StopRequested
    ) -> PackedTexts:
        def make(writer: ArrayFileWriter) -> None:
            made = clean_texts(
                self._texts,
                preprocess,
                processes=self._processes,
                watch=_Progress("cleaning", len(self._texts), stop_requested),
            )
            _put_all(writer, {"content": made.content, "starts": made.starts})

        arrays = self._cache.obtain(
            "cleaning", self._cleaning_key(preprocess), make, stop_requested=stop_requested
        )
        return PackedTexts(arrays["content"], arrays["starts"])

    def _cleaning_key(self, preprocess: PreprocessSettings) -> str:
        return digest([_VERSION, self._identity, cleaning_digest(preprocess)])

    def _segments_key(self, preprocess: PreprocessSettings) -> str:
        return digest([self._cleaning_key(preprocess), segmentation_digest(preprocess)])


class _Progress:
    """Says every few seconds how far a pass is, and passes on the wish to stop."""

    def __init__(self, doing: str, total: int, stop_requested: StopRequested) -> None:
        self._doing = doing
        self._total = total
        self._stop_requested = stop_requested
        self._began = self._said = time.monotonic()

    def __call__(self, n_done: int) -> None:
        self._stop_requested()
        now = time.monotonic()
        if now - self._said >= _SECONDS_A_LINE and n_done:
            self._said = now
            left = (now - self._began) * (self._total - n_done) / n_done
            _log.info(
                "%s: %d of %d texts, about %.0f s left", self._doing, n_done, self._total, left
            )


def _put_all(writer: ArrayFileWriter, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    for name, array in arrays.items():
        writer.put(name, array)


def _rows_digest(rows: npt.NDArray[np.intp]) -> str:
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def _texts_digest(texts: Sequence[str]) -> str:
    found = hashlib.sha256()
    for start in range(0, len(texts), _HASHED_AT_ONCE):
        piece = PackedTexts.pack(texts[start : start + _HASHED_AT_ONCE])
        found.update(piece.starts.tobytes())
        found.update(piece.content.tobytes())
    return found.hexdigest()
