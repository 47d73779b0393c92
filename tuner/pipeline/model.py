"""A stored classifier, ready to predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuner.config import Settings
from tuner.features import Encoded, Encoder
from tuner.models import is_pretrained
from tuner.packed import PackedTokens
from tuner.persist import StoredModel, read_model
from tuner.pipeline.encoders import clean_for_encoder, encoder_predictions, stored_checkpoint
from tuner.preprocess import tokenize
from tuner.records import Document, Scores

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Model", "load_model"]


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
        self._encoder = Encoder(vocabulary, stored.ngrams, stored.max_tokens, stored.subwords)

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Predict raw texts, (len(texts), n_classes) float32, rows adding up to 1."""
        if not self.reads_tokens:
            return self.encoded_probabilities(
                tuple(clean_for_encoder(texts, self.settings.preprocess))
            )
        return self.token_probabilities(tokenize(texts, self.settings.preprocess))

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns whose texts it was trained on; () where its folder does not say."""
        return tuple(self.stored.about.get("text_columns") or self.settings.data.text)

    @property
    def reads_tokens(self) -> bool:
        """Whether it takes segmented texts; a pretrained encoder has a tokenizer of its own."""
        return not is_pretrained(self.settings.model.backbone)

    def token_probabilities(self, tokens: PackedTokens) -> npt.NDArray[np.float32]:
        """Predict texts that were cut as `settings.preprocess` says, as `probabilities` does."""
        return self.encoded_probabilities(self._encoder.encode(tokens))

    def encoded_probabilities(self, encoded: Encoded | tuple[str, ...]) -> npt.NDArray[np.float32]:
        """Predict texts that were encoded for this model, as `probabilities` does raw ones.

        For a pretrained encoder that are cleaned texts.
        """
        from tuner.training import predict_probabilities

        if not len(encoded):
            return np.zeros((0, len(self.classes)), np.float32)
        if isinstance(encoded, tuple):
            return encoder_predictions(self.stored, self.settings, encoded)
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
        if is_pretrained(model.settings.model.backbone):
            stored_checkpoint(stored, model.settings)
            return model
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
        raise CheckpointError(f"{folder}: the model folder cannot be used: {error}") from error
    return model
