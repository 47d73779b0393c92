"""The straight line from documents to a measured classifier; it knows no Optuna.

documents -> tokens -> vocabulary and ids -> train, validate, fine-tune -> re-evaluate
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.config import PreprocessSettings, Settings, digest
from tuner.features import (
    Encoded,
    Encoder,
    features_from_arrays,
    features_to_arrays,
    fit_encoder,
)
from tuner.models import backbone_class
from tuner.persist import BlobStore, StoredModel, pack_arrays, read_model, unpack_arrays
from tuner.preprocess import preprocess_digest, resolve_segmenter, tokenize
from tuner.records import (
    Document,
    Report,
    Scores,
    SearchParts,
    StopRequested,
    TrialOutcome,
    TrialSeeds,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from tuner.training import FitData

__all__ = ["Model", "Pipeline", "Prepared", "load_model"]

_PARTS = ("train", "validation", "selection")
_CACHE_VERSION = 1  # raised when a stage's output changes for the same settings
_KEPT_IN_MEMORY = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """Features of one preprocessing, ready for any number of trials."""

    preprocess: PreprocessSettings
    encoder: Encoder
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
        Worker processes for segmentation.
    study
        The pipeline of the whole study, when these parts are a fold of it.
    """

    def __init__(
        self,
        parts: SearchParts,
        cache: BlobStore,
        *,
        processes: int = 1,
        study: Pipeline | None = None,
    ) -> None:
        self.parts = parts
        self._study = study
        self._cache = cache
        self._processes = processes
        self._identity = digest(
            [[[d.text, d.label] for d in getattr(parts, name)] for name in _PARTS]
        )
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._tokens: OrderedDict[str, dict[str, list[list[str]]]] = OrderedDict()

    def on(self, parts: SearchParts) -> Pipeline:
        """Give a pipeline on other parts of the same documents, such as a fold.

        Segmentation is stateless and taken over; vocabulary, length and ids are fitted anew.
        """
        return Pipeline(parts, self._cache, processes=self._processes, study=self)

    def resolve(self, preprocess: PreprocessSettings) -> PreprocessSettings:
        """Give the preprocessing with `segmenter` decided, by the study's train texts."""
        if self._study is not None:
            return self._study.resolve(preprocess)
        return resolve_segmenter(preprocess, [document.text for document in self.parts.train])

    def run_trial(
        self,
        settings: Settings,
        *,
        seeds: TrialSeeds,
        report: Report,
        stop_requested: StopRequested,
    ) -> TrialOutcome:
        """Run one configuration once; see `tuner.training.fit`."""
        from tuner.training import fit

        prepared = self.prepare(settings)
        return fit(
            settings, prepared.data, seeds=seeds, report=report, stop_requested=stop_requested
        )

    def prepare(self, settings: Settings) -> Prepared:
        """Give the features of these settings, from memory, from the cache, or made now."""
        preprocess = self.resolve(settings.preprocess)
        ngrams = _resolve_ngrams(settings)
        tokens_key = digest([_CACHE_VERSION, self._identity, preprocess_digest(preprocess)])
        features_key = digest([tokens_key, settings.features.model_dump(mode="json"), ngrams])
        prepared = self._prepared.pop(features_key, None)
        if prepared is None:
            encoder, encoded = self._features(
                settings, preprocess, ngrams, tokens_key, features_key
            )
            prepared = Prepared(preprocess, encoder, self._fit_data(encoder, encoded))
        self._prepared[features_key] = prepared
        while len(self._prepared) > _KEPT_IN_MEMORY:
            self._prepared.popitem(last=False)
        return prepared

    def tokens(self, preprocess: PreprocessSettings, name: str) -> list[list[str]]:
        """Give the tokens of a part, for the baselines."""
        key = digest([_CACHE_VERSION, self._identity, preprocess_digest(preprocess)])
        return self._part_tokens(preprocess, key)[name]

    def stored_model(
        self, settings: Settings, weights: dict[str, Any], about: dict[str, Any]
    ) -> StoredModel:
        """Put a trial's weights together with all that a prediction needs."""
        prepared = self.prepare(settings)
        # Where the data lay is nobody's business, and a URL may hold a password.
        nowhere = dict.fromkeys(("path", "query", "validation", "test"))
        resolved = settings.model_copy(
            update={
                "preprocess": prepared.preprocess,
                "data": settings.data.model_copy(update=nowhere),
            }
        )
        return StoredModel(
            settings=resolved.model_dump(mode="json"),
            vocabulary=tuple(prepared.encoder.vocabulary),
            ngrams=prepared.encoder.ngrams,
            max_tokens=prepared.encoder.max_tokens,
            edges=prepared.data.edges,
            classes=self.parts.classes,
            weights=weights,
            about=about,
        )

    def _features(
        self,
        settings: Settings,
        preprocess: PreprocessSettings,
        ngrams: int,
        tokens_key: str,
        features_key: str,
    ) -> tuple[Encoder, dict[str, Encoded]]:
        with self._cache.lock(features_key):
            stored = self._cache.get(features_key)
            if stored is not None:
                return features_from_arrays(unpack_arrays(stored), _PARTS)
            tokens = self._part_tokens(preprocess, tokens_key)
            encoder = fit_encoder(tokens["train"], settings.features, ngrams=ngrams)
            encoded = {name: encoder.encode(tokens[name]) for name in _PARTS}
            self._cache.put(features_key, pack_arrays(features_to_arrays(encoder, encoded)))
            return encoder, encoded

    def _part_tokens(self, preprocess: PreprocessSettings, key: str) -> dict[str, list[list[str]]]:
        if key in self._tokens:
            return self._tokens[key]
        if self._study is not None:
            self._tokens = OrderedDict({key: self._tokens_of_study(preprocess, self._study)})
            return self._tokens[key]
        with self._cache.lock(key):
            stored = self._cache.get(key)
            if stored is not None:
                tokens: dict[str, list[list[str]]] = json.loads(zlib.decompress(stored))
            else:
                tokens = {
                    name: tokenize(
                        [document.text for document in getattr(self.parts, name)],
                        preprocess,
                        processes=self._processes,
                    )
                    for name in _PARTS
                }
                # Escaped, so that a lone surrogate in a text does no harm.
                self._cache.put(key, zlib.compress(json.dumps(tokens).encode("ascii"), 1))
        self._tokens = OrderedDict({key: tokens})
        return tokens

    def _tokens_of_study(
        self, preprocess: PreprocessSettings, study: Pipeline
    ) -> dict[str, list[list[str]]]:
        known = {
            document.text: tokens
            for name in _PARTS
            for document, tokens in zip(
                getattr(study.parts, name), study.tokens(preprocess, name), strict=True
            )
        }
        return {
            name: [known[document.text] for document in getattr(self.parts, name)]
            for name in _PARTS
        }

    def _fit_data(self, encoder: Encoder, encoded: dict[str, Encoded]) -> FitData:
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
        )


def _resolve_ngrams(settings: Settings) -> int:
    if settings.features.ngrams != "auto":
        return int(settings.features.ngrams)
    return 1 if backbone_class(settings.model.backbone).USES_ORDER else 2


class Model:
    """A stored classifier that predicts raw texts.

    A text's probabilities depend on that text alone, so any process, batch or order gives the
    same numbers.
    """

    def __init__(self, stored: StoredModel) -> None:
        self.stored = stored
        self.settings = Settings.model_validate(dict(stored.settings))
        self.classes = stored.classes
        vocabulary = {token: number for number, token in enumerate(stored.vocabulary)}
        self._encoder = Encoder(vocabulary, stored.ngrams, stored.max_tokens)

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Predict raw texts, (len(texts), n_classes) float32, rows adding up to 1."""
        from tuner.training import predict_probabilities

        if not texts:
            return np.zeros((0, len(self.classes)), np.float32)
        encoded = self._encoder.encode(tokenize(texts, self.settings.preprocess))
        return predict_probabilities(
            self.settings,
            self.stored.weights,
            encoded,
            edges=self.stored.edges,
            vocabulary_size=len(self.stored.vocabulary),
            n_classes=len(self.classes),
        )

    def evaluate(
        self,
        documents: Sequence[Document],
        probabilities: npt.NDArray[np.float32] | None = None,
    ) -> Scores:
        """Score labelled documents; a label the model does not know counts as never right.

        `probabilities` are those of the documents' texts, where they are at hand already.
        """
        from tuner.training import score

        if probabilities is None:
            probabilities = self.probabilities([document.text for document in documents])
        names = [*self.classes, *sorted({d.label for d in documents} - set(self.classes))]
        number = {name: index for index, name in enumerate(names)}
        labels = np.array([number[document.label] for document in documents], np.int32)
        if len(names) > len(self.classes):
            filling = np.zeros((len(labels), len(names) - len(self.classes)), np.float32)
            probabilities = np.concatenate([probabilities, filling], axis=1)
        predicted = probabilities.argmax(axis=1).astype(np.int32)
        return score(labels, predicted, names, probabilities=probabilities)


def load_model(folder: str | Path) -> Model:
    """Load a model folder, such as `runs/<study>/best_model`.

    Raises
    ------
    CheckpointError
        If it is missing or damaged, or its parts do not fit each other; names the folder.
    """
    from pydantic import ValidationError

    from tuner.config.complaints import as_config_error
    from tuner.errors import CheckpointError, ConfigError
    from tuner.models import model_shape
    from tuner.training.program import program_for

    stored = read_model(Path(folder))
    try:
        model = Model(stored)
        shape = model_shape(
            model.settings.model,
            vocabulary_size=len(stored.vocabulary),
            n_classes=len(stored.classes),
        )
        program_for(shape).classifier.load(stored.weights)
    except ValidationError as error:
        reason = str(as_config_error(error))
        raise CheckpointError(f"{folder}: the settings.json is damaged: {reason}") from error
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{folder}: the model folder is damaged: {error}") from error
    return model
