"""Features of the backbones that read tokens: made by the stages, kept for the next trials."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tuner.config import PreprocessSettings, Settings
from tuner.features import Encoded, Encoder
from tuner.packed import PackedTokens
from tuner.persist import Cache
from tuner.pipeline.stages import STAGES, Stages
from tuner.pipeline.token_kinds import TokenKinds, resolve_kinds
from tuner.preprocess import resolve_segmenter, with_words
from tuner.recent import Recent
from tuner.records import SearchParts, StopRequested

if TYPE_CHECKING:
    from tuner.training import FitData

__all__ = ["Prepared", "TokenFeatures"]

_log = logging.getLogger(__name__)

_PARTS = ("train", "validation", "selection")
_KEPT_IN_MEMORY = 3
_SIZES = frozenset(
    {
        "features.ngrams",
        "features.subwords",
        "features.vocabulary_size",
        "features.min_count",
        "features.ngram_min_count",
        "features.max_tokens",
        "features.length_percentile",
    }
)
_SECONDS_WORTH_A_LINE = 1.0


@dataclass(frozen=True)
class Prepared:
    """Features of one preprocessing, ready for any number of trials."""

    preprocess: PreprocessSettings
    encoder: Encoder
    encoded: Mapping[str, Encoded]
    _pack: Callable[[], FitData]

    @cached_property
    def data(self) -> FitData:
        """What training reads; loads TensorFlow, which one that only prepares does without."""
        return self._pack()


class TokenFeatures:
    """Segments, vocabulary and ids of the open parts of one study, or of a fold of it.

    Parameters
    ----------
    parts
        Train, validation and selection.
    cache
        Where tokens and features are kept.
    processes
        Processes for cleaning and segmentation.
    study
        Those of the whole study, when these parts are a fold of it: cleaning and segmentation are
        taken over, vocabulary, length and ids are fitted anew.
    """

    def __init__(
        self,
        parts: SearchParts,
        cache: Cache,
        *,
        processes: int,
        study: TokenFeatures | None = None,
    ) -> None:
        self._parts = parts
        self._cache = cache
        self._study = study
        texts = [document.text for name in _PARTS for document in getattr(parts, name)]
        if study is None:
            self._stages = Stages(texts, cache, processes=processes)
            rows = self._stages.given
        else:
            self._stages = study._stages
            rows = self._stages.rows(texts)
        ends = np.cumsum([len(getattr(parts, name)) for name in _PARTS])
        self._rows = dict(zip(_PARTS, np.split(rows, ends[:-1]), strict=True))
        self._resolved: dict[PreprocessSettings, PreprocessSettings] = {}
        self._with_words: dict[PreprocessSettings, PreprocessSettings] = {}
        self._prepared: Recent[tuple[object, ...], Prepared] = Recent(_KEPT_IN_MEMORY)

    def resolve(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with `segmenter` decided, by the study's train texts."""
        if self._study is not None:
            return self._study.resolve(preprocess)
        if preprocess not in self._resolved:
            texts = [document.text for document in self._parts.train]
            self._resolved[preprocess] = resolve_segmenter(preprocess, texts)
        return self._resolved[preprocess]

    def with_words(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with a segmenter that gives words, by the train texts."""
        if preprocess not in self._with_words:
            texts = [document.text for document in self._parts.train]
            self._with_words[preprocess] = with_words(preprocess, texts)
        return self._with_words[preprocess]

    def tokens(self, preprocess: PreprocessSettings, name: str) -> PackedTokens:
        """Give the tokens of a part."""
        return self._stages.tokens(preprocess).take(self._rows[name])

    def all_tokens(self, preprocess: PreprocessSettings) -> PackedTokens:
        """Give the tokens of all different open texts of the study."""
        return self._stages.tokens(preprocess)

    def prepare(self, settings: Settings, *, stop_requested: StopRequested) -> Prepared:
        """Give the features of these settings, from memory, from the cache, or made now."""
        preprocess = self.resolve(settings.preprocess)
        kinds = self._kinds(settings, preprocess)
        return self._prepared.obtain(
            (preprocess, settings.features, kinds),
            lambda: self._make(preprocess, settings, kinds, stop_requested),
        )

    def _kinds(self, settings: Settings, preprocess: PreprocessSettings) -> TokenKinds:
        if self._study is not None:
            return self._study._kinds(settings, preprocess)
        return resolve_kinds(
            settings, preprocess, n_texts=len(self._parts.train), mean_length=self._mean_length
        )

    @cached_property
    def _mean_length(self) -> float:
        """Characters of a train text, on average."""
        return sum(len(document.text) for document in self._parts.train) / len(self._parts.train)

    def _make(
        self,
        preprocess: PreprocessSettings,
        settings: Settings,
        kinds: TokenKinds,
        stop_requested: StopRequested,
    ) -> Prepared:
        features = settings.features
        if self._study is not None:
            # No larger than the study's, so that the programs of the search serve the fold.
            size = len(
                self._study.prepare(settings, stop_requested=stop_requested).encoder.vocabulary
            )
            features = features.model_copy(update={"vocabulary_size": size})
        started = time.perf_counter()
        before = self._cache.counts.copy()
        encoder, encoded = self._stages.features(
            preprocess,
            features,
            self._rows,
            ngrams=kinds.ngrams,
            subwords=kinds.subwords,
            stop_requested=stop_requested,
        )
        seconds = time.perf_counter() - started
        made = [stage for stage, which in self._cache.counts - before if which == "made"]
        _log.log(
            logging.INFO if seconds >= _SECONDS_WORTH_A_LINE else logging.DEBUG,
            "prepared %d texts in %.1f s: %s",
            sum(map(len, encoded.values())),
            seconds,
            ", ".join(f"{stage} {'made' if stage in made else 'kept'}" for stage in STAGES),
        )
        return Prepared(
            preprocess, encoder, encoded, lambda: self._fit_data(settings, encoder, encoded)
        )

    def _fit_data(
        self, settings: Settings, encoder: Encoder, encoded: dict[str, Encoded]
    ) -> FitData:
        from tuner.training import LabelledTexts, prepare_fit

        number = {name: index for index, name in enumerate(self._parts.classes)}
        labelled = {
            name: LabelledTexts(
                encoded[name],
                np.array([number[d.label] for d in getattr(self._parts, name)], np.int32),
            )
            for name in _PARTS
        }
        return prepare_fit(
            **labelled,
            vocabulary_size=len(encoder.vocabulary),
            max_tokens=encoder.max_tokens,
            classes=self._parts.classes,
            few_sizes=_searches_sizes(settings),
            is_subword=encoder.is_subword,
            # A fold has the shapes of its study, so that the programs of the search serve it.
            layout=(
                None
                if self._study is None
                else self._study.prepare(settings, stop_requested=lambda: None).data.layout
            ),
        )


def _searches_sizes(settings: Settings) -> bool:
    """Say whether trials may have many sizes of vocabulary and texts, each with its programs.

    So where a size is searched, or what the texts are cut into: each combination has its own.
    """
    searched = [
        name
        for name, entry in settings.space.items()
        if entry.choices is None or len(entry.choices) > 1
    ]
    return any(name in _SIZES or name.startswith("preprocess.") for name in searched)
