"""Trials on the open parts of a study: features from the stages, then training.

documents -> tokens -> vocabulary and ids -> train, validate, fine-tune -> re-evaluate
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.config import PreprocessSettings, Settings
from tuner.features import Coverage, EmbeddingStart, Encoded, Encoder
from tuner.models import ignored_settings, is_pretrained
from tuner.packed import PackedTokens
from tuner.persist import Cache, StoredModel
from tuner.pipeline.aids import Aids
from tuner.pipeline.encoders import EncoderPipeline, PreparedTexts
from tuner.pipeline.stages import STAGES, Stages
from tuner.pipeline.token_kinds import TokenKinds, resolve_kinds
from tuner.preprocess import resolve_segmenter, with_words
from tuner.records import (
    Checkpoint,
    Report,
    SearchParts,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)

if TYPE_CHECKING:
    from tuner.training import FitData

__all__ = ["Pipeline", "Prepared"]

_log = logging.getLogger(__name__)

_PARTS = ("train", "validation", "selection")
_KEPT_IN_MEMORY = 3
_SECONDS_WORTH_A_LINE = 1.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """Features of one preprocessing, ready for any number of trials."""

    preprocess: PreprocessSettings
    encoder: Encoder
    encoded: Mapping[str, Encoded]
    data: FitData


class Pipeline:
    """Runs trials on the open parts of one study.

    Parameters
    ----------
    parts
        Train, validation and selection; the sealed test has no way in.
    cache
        Where tokens and features are kept for all trials, processes and later runs.
    processes
        Processes for cleaning and segmentation.
    study
        The pipeline of the whole study, when these parts are a fold of it.
    """

    def __init__(
        self,
        parts: SearchParts,
        cache: Cache,
        *,
        processes: int = 1,
        study: Pipeline | None = None,
    ) -> None:
        self.parts = parts
        self._cache = cache
        self._study = study
        self._encoders = EncoderPipeline(parts, cache)
        texts = [document.text for name in _PARTS for document in getattr(parts, name)]
        if study is None:
            self._stages = Stages(texts, cache, processes=processes)
            rows = self._stages.given
        else:
            self._stages = study._stages
            rows = self._stages.rows(texts)
        ends = np.cumsum([len(getattr(parts, name)) for name in _PARTS])
        self._rows = dict(zip(_PARTS, np.split(rows, ends[:-1]), strict=True))
        self._aids: Aids = Aids(None if study is None else study._aids)
        self._resolved: dict[PreprocessSettings, PreprocessSettings] = {}
        self._with_words: dict[PreprocessSettings, PreprocessSettings] = {}
        self._prepared: OrderedDict[tuple[object, ...], Prepared] = OrderedDict()

    def on(self, parts: SearchParts) -> Pipeline:
        """Give a pipeline on other parts of the same documents, such as a fold.

        Cleaning and segmentation are stateless and taken over; vocabulary, length and ids are
        fitted anew.
        """
        return Pipeline(parts, self._cache, study=self)

    def resolve(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with `segmenter` decided, by the study's train texts."""
        if self._study is not None:
            return self._study.resolve(preprocess)
        if preprocess not in self._resolved:
            texts = [document.text for document in self.parts.train]
            self._resolved[preprocess] = resolve_segmenter(preprocess, texts)
        return self._resolved[preprocess]

    def with_words(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with a segmenter that gives words, by the train texts."""
        if preprocess not in self._with_words:
            texts = [document.text for document in self.parts.train]
            self._with_words[preprocess] = with_words(preprocess, texts)
        return self._with_words[preprocess]

    def run_trial(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None = None,
    ) -> TrialOutcome:
        """Run one configuration once; see `tuner.training.fit`."""
        from tuner.training import fit

        if is_pretrained(settings.model.backbone):
            return self._encoders.run_trial(
                settings,
                seeds=seeds,
                report=report,
                stop_requested=stop_requested,
                checkpoint=checkpoint,
            )
        started = time.perf_counter()
        prepared = self._features(settings, stop_requested)
        start = self._embedding_start(settings, prepared)
        replacements = self._aids.replacements(
            settings, prepared.encoder, prepared.encoded["train"]
        )
        seconds = time.perf_counter() - started
        outcome = fit(
            settings,
            prepared.data,
            seeds=seeds,
            report=report,
            stop_requested=stop_requested,
            embedding_start=None if start is None else start[0],
            replacements=replacements,
            checkpoint=checkpoint,
        )
        return replace(outcome, seconds={"prepare": seconds, **outcome.seconds})

    def prepare(
        self, settings: Settings, *, stop_requested: StopRequested = lambda: None
    ) -> Prepared | PreparedTexts:
        """Give the features of these settings, from memory, from the cache, or made now.

        Parameters
        ----------
        stop_requested
            Called now and then while they are made; may raise.
        """
        if is_pretrained(settings.model.backbone):
            return self._encoders.prepare(settings, stop_requested=stop_requested)
        return self._features(settings, stop_requested)

    def _features(self, settings: Settings, stop_requested: StopRequested) -> Prepared:
        preprocess = self.resolve(settings.preprocess)
        kinds = self._kinds(settings, preprocess)
        key = (preprocess, settings.features, kinds)
        prepared = self._prepared.pop(key, None)
        if prepared is None:
            prepared = self._prepare(preprocess, settings, kinds, stop_requested)
        self._prepared[key] = prepared
        while len(self._prepared) > _KEPT_IN_MEMORY:
            self._prepared.popitem(last=False)
        return prepared

    def _kinds(self, settings: Settings, preprocess: PreprocessSettings) -> TokenKinds:
        if self._study is not None:
            return self._study._kinds(settings, preprocess)
        return resolve_kinds(
            settings, preprocess, n_texts=len(self.parts.train), mean_length=self._mean_length
        )

    @cached_property
    def _mean_length(self) -> float:
        """Characters of a train text, on average."""
        return sum(len(document.text) for document in self.parts.train) / len(self.parts.train)

    def vector_coverage(self, settings: Settings) -> Coverage | None:
        """Say how many words have a vector in `model.vectors`; None without that."""
        if is_pretrained(settings.model.backbone):
            return None
        start = self._embedding_start(settings, self._features(settings, lambda: None))
        return None if start is None else start[1]

    def _embedding_start(
        self, settings: Settings, prepared: Prepared
    ) -> tuple[EmbeddingStart, Coverage] | None:
        if "model.vectors" in ignored_settings(settings.model.backbone):
            return None
        if settings.model.vectors == "none":
            return None
        tokens = self._stages.tokens(prepared.preprocess)
        return self._aids.embedding_start(
            settings, prepared.encoder, prepared.encoded["train"], tokens
        )

    def tokens(self, preprocess: PreprocessSettings, name: str) -> PackedTokens:
        """Give the tokens of a part, for the baselines."""
        return self._stages.tokens(preprocess).take(self._rows[name])

    def stored_model(
        self, settings: Settings, weights: dict[str, Any], about: dict[str, Any]
    ) -> StoredModel:
        """Put a trial's weights together with all that a prediction needs."""
        # Where the data lay is nobody's business, and a URL may hold a password.
        nowhere = dict.fromkeys(("path", "query", "validation", "test"))
        settings = settings.model_copy(update={"data": settings.data.model_copy(update=nowhere)})
        if is_pretrained(settings.model.backbone):
            return self._encoders.stored_model(settings, weights, about)
        prepared = self._features(settings, lambda: None)
        resolved = settings.model_copy(
            update={
                "preprocess": prepared.preprocess,
                "model": settings.model.model_copy(
                    update={"vectors": "none", "freeze_vectors": False}
                ),
            }
        )
        return StoredModel(
            settings=resolved.model_dump(mode="json"),
            vocabulary=tuple(prepared.encoder.vocabulary),
            ngrams=prepared.encoder.ngrams,
            subwords=prepared.encoder.subwords,
            max_tokens=prepared.encoder.max_tokens,
            edges=prepared.data.layout.edges,
            classes=self.parts.classes,
            weights=weights,
            about=about,
        )

    def _prepare(
        self,
        preprocess: PreprocessSettings,
        settings: Settings,
        kinds: TokenKinds,
        stop_requested: StopRequested,
    ) -> Prepared:
        features = settings.features
        if self._study is not None:
            # No larger than the study's, so that the programs of the search serve the fold.
            size = len(self._study._features(settings, stop_requested).encoder.vocabulary)
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
        return Prepared(preprocess, encoder, encoded, self._fit_data(settings, encoder, encoded))

    def _fit_data(
        self, settings: Settings, encoder: Encoder, encoded: dict[str, Encoded]
    ) -> FitData:
        from tuner.training import LabelledTexts, prepare_fit

        number = {name: index for index, name in enumerate(self.parts.classes)}
        labelled = {
            name: LabelledTexts(
                encoded[name],
                np.array([number[d.label] for d in getattr(self.parts, name)], np.int32),
            )
            for name in _PARTS
        }
        return prepare_fit(
            **labelled,
            vocabulary_size=len(encoder.vocabulary),
            max_tokens=encoder.max_tokens,
            classes=self.parts.classes,
            is_subword=encoder.is_subword,
            # A fold has the shapes of its study, so that the programs of the search serve it.
            layout=(
                None
                if self._study is None
                else self._study._features(settings, lambda: None).data.layout
            ),
        )
