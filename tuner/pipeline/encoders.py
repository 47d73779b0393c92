"""The straight line for pretrained encoders: cleaned texts, the checkpoint's pieces, trials.

Nothing is fitted on train: the tokenizer is the checkpoint's own. jieba, stop words and vocabulary
are for the other backbones.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.config import PreprocessSettings, Settings, digest
from tuner.errors import CheckpointError, ConfigError
from tuner.models import open_checkpoint, open_pinned
from tuner.persist import ArrayFileWriter, Cache, StoredModel
from tuner.preprocess import normalize
from tuner.recent import Recent
from tuner.records import Checkpoint as TrialCheckpoint
from tuner.records import Report, SearchParts, StopRequested, TrialOutcome, TrialSeeds

if TYPE_CHECKING:
    import numpy.typing as npt

    from tuner.models.pretrained import Checkpoint
    from tuner.training.encoder import EncoderData, EncoderTexts

__all__ = [
    "EncoderPipeline",
    "PreparedTexts",
    "clean_for_encoder",
    "encoder_predictions",
    "stored_checkpoint",
]

_PARTS = ("train", "validation", "selection")
_VERSION = 1  # raised when the same texts give other pieces
_KEPT_IN_MEMORY = 2


def clean_for_encoder(texts: Sequence[str], settings: PreprocessSettings) -> list[str]:
    """Clean texts, leaving case and punctuation to the checkpoint's tokenizer."""
    return [normalize(text, settings, as_written=True) for text in texts]


@dataclass(frozen=True, slots=True)
class PreparedTexts:
    """Pieces of one cleaning, ready for any number of trials; `encoded` are cleaned texts."""

    preprocess: PreprocessSettings
    encoded: Mapping[str, tuple[str, ...]]
    data: EncoderData


class EncoderPipeline:
    """Runs trials of pretrained encoders on the open parts of one study.

    Parameters
    ----------
    parts
        Train, validation and selection.
    cache
        Where pieces and frozen activations are kept.
    checkpoints
        Digests that the checkpoints must have, see `tuner.models.open_pinned`.
    """

    def __init__(self, parts: SearchParts, cache: Cache, checkpoints: Mapping[str, str]) -> None:
        self.parts = parts
        self._checkpoints = checkpoints
        self._cache = cache
        self._prepared: Recent[tuple[object, ...], PreparedTexts] = Recent(_KEPT_IN_MEMORY)

    def run_trial(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
        checkpoint: TrialCheckpoint | None = None,
    ) -> TrialOutcome:
        """Run one configuration once; see `tuner.training.encoder.fit_encoder`."""
        started = time.perf_counter()
        from tuner.training.encoder import fit_encoder

        data = self.prepare(settings, stop_requested=stop_requested).data
        return fit_encoder(
            settings,
            data,
            seeds=seeds,
            report=report,
            stop_requested=stop_requested,
            checkpoint=checkpoint,
            prepare_seconds=time.perf_counter() - started,
        )

    def prepare(self, settings: Settings, *, stop_requested: StopRequested) -> PreparedTexts:
        """Give the pieces of these settings, from memory, from the cache, or made now."""
        checkpoint = open_pinned(settings.model, self._checkpoints)
        max_tokens = settings.features.max_tokens
        return self._prepared.obtain(
            (checkpoint.digest, settings.preprocess, max_tokens),
            lambda: self._make(checkpoint, settings.preprocess, max_tokens, stop_requested),
        )

    def stored_model(
        self, settings: Settings, weights: Mapping[str, Any], about: Mapping[str, Any]
    ) -> StoredModel:
        """Put a trial's weights together with what a prediction needs.

        The checkpoint itself is named, not copied: it is hundreds of megabytes that do not
        change, and its digest tells whether it is still the same.
        """
        return StoredModel(
            settings=settings.model_dump(mode="json"),
            vocabulary=(),
            ngrams=1,
            max_tokens=settings.features.max_tokens,
            edges=(),
            classes=self.parts.classes,
            weights=weights,
            about=about,
            checkpoint=open_pinned(settings.model, self._checkpoints).digest,
        )

    def _make(
        self,
        checkpoint: Checkpoint,
        preprocess: PreprocessSettings,
        max_tokens: int,
        stop_requested: StopRequested,
    ) -> PreparedTexts:
        from tuner.training.encoder import EncoderData, LabelledRows

        cleaned = {
            name: tuple(
                clean_for_encoder(
                    [document.text for document in getattr(self.parts, name)], preprocess
                )
            )
            for name in _PARTS
        }
        # Of a study and its folds the same: all they have is in the union of the parts.
        distinct = sorted({text for part in cleaned.values() for text in part})
        place = {text: number for number, text in enumerate(distinct)}
        number = {name: index for index, name in enumerate(self.parts.classes)}
        labelled = {
            name: LabelledRows(
                np.array([place[text] for text in cleaned[name]], np.intp),
                np.array([number[d.label] for d in getattr(self.parts, name)], np.int32),
            )
            for name in _PARTS
        }
        texts = self._cut(checkpoint, distinct, max_tokens, stop_requested)
        data = EncoderData(texts=texts, classes=self.parts.classes, cache=self._cache, **labelled)
        return PreparedTexts(preprocess, cleaned, data)

    def _cut(
        self,
        checkpoint: Checkpoint,
        distinct: Sequence[str],
        max_tokens: int,
        stop_requested: StopRequested,
    ) -> EncoderTexts:
        from tuner.models.pretrained import Pieces
        from tuner.training.encoder import EncoderTexts

        def make(writer: ArrayFileWriter) -> None:
            pieces = checkpoint.encode(distinct, max_tokens=max_tokens)
            writer.put("flat", pieces.flat)
            writer.put("lengths", pieces.lengths)

        entry = self._cache.obtain(
            "pieces",
            digest([_VERSION, checkpoint.digest, max_tokens, distinct]),
            make,
            stop_requested=stop_requested,
        )
        return EncoderTexts(
            checkpoint, Pieces(np.array(entry["flat"]), np.array(entry["lengths"]))
        )


def encoder_predictions(
    stored: StoredModel, settings: Settings, cleaned: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Predict cleaned texts with a stored model, (len(cleaned), n_classes).

    Raises
    ------
    CheckpointError
        If the checkpoint that the model names is not there, or is another one.
    """
    from tuner.training.encoder import encoder_probabilities

    return encoder_probabilities(
        settings,
        stored.weights,
        stored_checkpoint(stored, settings),
        cleaned,
        n_classes=len(stored.classes),
    )


def stored_checkpoint(stored: StoredModel, settings: Settings) -> Checkpoint:
    """Open the checkpoint that a stored model builds on.

    Raises
    ------
    CheckpointError
        If it is not there, or is another one.
    """
    try:
        checkpoint = open_checkpoint(settings.model)
    except ConfigError as error:
        raise CheckpointError(
            f"the model builds on a checkpoint that is not here: {error} It may also lie in the "
            "model folder, as the folder checkpoint."
        ) from error
    if checkpoint.digest != stored.checkpoint:
        raise CheckpointError(
            f"the model builds on the checkpoint with digest {str(stored.checkpoint)[:12]}…; "
            f"{checkpoint.source!r} is another one ({checkpoint.digest[:12]}…)."
        )
    return checkpoint
