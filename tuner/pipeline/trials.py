"""Trials on the open parts of a study: features from the stages, then training.

documents -> tokens -> vocabulary and ids -> train, validate, fine-tune -> re-evaluate
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

from tuner.config import PreprocessSettings, Settings
from tuner.errors import DataError, TrialFailed
from tuner.features import Coverage, EmbeddingStart
from tuner.models import ignored_settings, is_pretrained
from tuner.packed import PackedTokens
from tuner.persist import Cache, StoredModel
from tuner.pipeline.aids import Aids
from tuner.pipeline.encoders import EncoderPipeline, PreparedTexts
from tuner.pipeline.token_features import Prepared, TokenFeatures
from tuner.records import (
    Checkpoint,
    Report,
    SearchParts,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)

__all__ = ["Pipeline", "load_training_ahead"]


def load_training_ahead() -> None:
    """Begin to load TensorFlow, which takes seconds, while texts are prepared in other processes.

    Whoever needs it waits for the rest, and hears what is wrong with it. Nothing is begun where
    Python writes on descriptor 2 as native code does: what is said there meanwhile is held back,
    see `tuner.models.runtime`.
    """
    if not _writes_as_native_code():
        Thread(target=_load_training, name="load-training").start()


def _writes_as_native_code() -> bool:
    try:
        return sys.stderr.fileno() == 2
    except (OSError, ValueError, AttributeError):
        return False  # a notebook's, or none


def _load_training() -> None:
    with suppress(Exception):
        import tuner.training  # noqa: F401


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
    checkpoints
        Digests that pretrained checkpoints must have, see `tuner.models.checkpoint_digests`; one
        that is not named is taken as it is.
    study
        The pipeline of the whole study, when these parts are a fold of it.
    """

    def __init__(
        self,
        parts: SearchParts,
        cache: Cache,
        *,
        processes: int = 1,
        checkpoints: Mapping[str, str] | None = None,
        study: Pipeline | None = None,
    ) -> None:
        self.parts = parts
        self._cache = cache
        self._checkpoints: Mapping[str, str] = checkpoints or {}
        self._encoders = EncoderPipeline(parts, cache, self._checkpoints)
        self._features: TokenFeatures = TokenFeatures(
            parts, cache, processes=processes, study=None if study is None else study._features
        )
        self._aids: Aids = Aids(None if study is None else study._aids)

    def on(self, parts: SearchParts) -> Pipeline:
        """Give a pipeline on other parts of the same documents, such as a fold.

        Cleaning and segmentation are stateless and taken over; vocabulary, length and ids are
        fitted anew.
        """
        return Pipeline(parts, self._cache, checkpoints=self._checkpoints, study=self)

    def resolve(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with `segmenter` decided, by the study's train texts."""
        return self._features.resolve(preprocess)

    def with_words(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with a segmenter that gives words, by the train texts."""
        return self._features.with_words(preprocess)

    def run_trial(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: Checkpoint | None = None,
    ) -> TrialOutcome:
        """Run one configuration once; see `tuner.training.fit`.

        Raises
        ------
        TrialFailed
            Also if the file of `model.vectors` that the search has chosen is broken.
        """
        started = time.perf_counter()
        from tuner.training import fit  # loads TensorFlow, which takes seconds

        if is_pretrained(settings.model.backbone):
            return self._encoders.run_trial(
                settings,
                seeds=seeds,
                report=report,
                stop_requested=stop_requested,
                checkpoint=checkpoint,
            )
        prepared = self._features.prepare(settings, stop_requested=stop_requested)
        try:
            start = self._embedding_start(settings, prepared)
        except DataError as error:
            if "model.vectors" not in settings.space:
                raise
            raise TrialFailed(f"model.vectors: {error}") from error  # others have another file
        replacements = self._aids.replacements(
            settings, prepared.encoder, prepared.encoded["train"]
        )
        data = prepared.data
        return fit(
            settings,
            data,
            seeds=seeds,
            report=report,
            stop_requested=stop_requested,
            embedding_start=None if start is None else start[0],
            replacements=replacements,
            checkpoint=checkpoint,
            prepare_seconds=time.perf_counter() - started,
        )

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
        return self._features.prepare(settings, stop_requested=stop_requested)

    def vector_coverage(self, settings: Settings) -> Coverage | None:
        """Say how many words have a vector in `model.vectors`; None without that."""
        if is_pretrained(settings.model.backbone):
            return None
        start = self._embedding_start(
            settings, self._features.prepare(settings, stop_requested=lambda: None)
        )
        return None if start is None else start[1]

    def _embedding_start(
        self, settings: Settings, prepared: Prepared
    ) -> tuple[EmbeddingStart, Coverage] | None:
        if "model.vectors" in ignored_settings(settings.model.backbone):
            return None
        if settings.model.vectors == "none":
            return None
        tokens = self._features.all_tokens(prepared.preprocess)
        return self._aids.embedding_start(
            settings, prepared.encoder, prepared.encoded["train"], tokens
        )

    def tokens(self, preprocess: PreprocessSettings, name: str) -> PackedTokens:
        """Give the tokens of a part, for the baselines."""
        return self._features.tokens(preprocess, name)

    def stored_model(
        self, settings: Settings, weights: dict[str, Any], about: dict[str, Any]
    ) -> StoredModel:
        """Put a trial's weights together with all that a prediction needs."""
        # Where the data lay is nobody's business, and a URL may hold a password.
        nowhere = dict.fromkeys(("path", "query", "validation", "test"))
        settings = settings.model_copy(update={"data": settings.data.model_copy(update=nowhere)})
        if is_pretrained(settings.model.backbone):
            return self._encoders.stored_model(settings, weights, about)
        prepared = self._features.prepare(settings, stop_requested=lambda: None)
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
            weights={
                # Without the rows that no token has.
                name: value[: len(prepared.encoder.vocabulary)]
                if name.endswith("/embeddings")
                else value
                for name, value in weights.items()
            },
            about=about,
        )
