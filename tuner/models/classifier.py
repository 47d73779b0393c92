"""A backbone with its head, as named layer groups whose weights can be reset, read and set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.config import ModelSettings
from tuner.errors import CheckpointError
from tuner.models.layers import Dropout, EmbeddingRows, TokenEmbedding, TokenScores
from tuner.models.registry import backbone_class
from tuner.models.shape import ModelShape

__all__ = ["Classifier"]

HEAD = "head"


class Classifier:
    """A backbone and a linear head.

    Parameters
    ----------
    shape
        Sizes.

    Attributes
    ----------
    group_names
        Layer groups from the input up; the last one is the head and is never frozen.
    embedding
        The table of token embeddings and the number of its group; None where there is none.
    """

    def __init__(self, shape: ModelShape) -> None:
        self.shape = shape
        self.backbone = backbone_class(shape.backbone)(shape)
        self.head = keras.layers.Dense(
            shape.n_classes,
            kernel_initializer=getattr(self.backbone, "HEAD_INITIALIZER", "glorot_uniform"),
            name=HEAD,
        )
        self.group_names: tuple[str, ...] = (*self.backbone.GROUPS, HEAD)
        self(np.ones((1, max(shape.kernel_sizes)), np.int32))  # builds the weights
        self.groups: tuple[list[Any], ...] = (*self.backbone.groups(), [self.head])
        self.embedding: tuple[TokenEmbedding, int] | None = next(
            (
                (layer, number)
                for number, layers in enumerate(self.groups)
                for layer in layers
                if isinstance(layer, TokenEmbedding)
            ),
            None,
        )

    @property
    def embedding_name(self) -> str | None:
        """Name of the table among `variables`; None where there is none."""
        if self.embedding is None:
            return None
        table = self.embedding[0].embeddings.value
        return next(name for name, variable, _ in self.variables() if variable is table)

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to logits (batch, n_classes) float32."""
        return self.head(self.backbone(token_ids, dropout=dropout))

    def configure(self, settings: ModelSettings) -> None:
        """Take over the numbers that a trial may change without a new program."""
        self.backbone.configure(settings)

    def variables(self, *, frozen_depth: int = 0) -> list[tuple[str, Any, int]]:
        """Give (name, tf.Variable, group number) of all weights above the frozen groups."""
        return [
            (f"{self.group_names[number]}/{layer.name}/{weight.name}", weight.value, number)
            for number, layers in enumerate(self.groups)
            if number >= frozen_depth
            for layer in layers
            for weight in layer.weights
        ]

    def reset(self, seed: int) -> None:
        """Draw new initial weights in place; the same seed gives the same weights."""
        place = 0
        for layers in self.groups:
            for layer in layers:
                for weight in layer.weights:
                    place += 1
                    initializer = getattr(layer, f"{weight.name}_initializer")
                    config = initializer.get_config()
                    if "seed" in config:
                        sequence = np.random.SeedSequence(seed, spawn_key=(place,))
                        config["seed"] = int(sequence.generate_state(1)[0] >> 1)
                    weight.assign(type(initializer).from_config(config)(weight.shape))

    def start_embedding(self, given: EmbeddingRows) -> None:
        """Set rows of the embedding to given vectors, see `TokenEmbedding.start_from`."""
        if self.embedding is not None:
            self.embedding[0].start_from(given)

    @property
    def weighs_tokens(self) -> bool:
        """Whether `weigh_tokens` has to be told what a token weighs."""
        return self.embedding is not None and isinstance(self.embedding[0], TokenScores)

    def weigh_tokens(self, weights: npt.NDArray[np.float32]) -> None:
        """Set what each token weighs, (vocabulary_size,), see `TokenScores.weigh`."""
        if self.embedding is not None and isinstance(self.embedding[0], TokenScores):
            self.embedding[0].weigh(weights)

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copy all weights out, by name."""
        return {name: variable.numpy() for name, variable, _ in self.variables()}

    def load(self, weights: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Set all weights in place.

        Raises
        ------
        CheckpointError
            If a name is missing or a shape differs.
        """
        for name, variable, _ in self.variables():
            if name not in weights:
                raise CheckpointError(f"weights: {name!r} is missing.")
            if tuple(weights[name].shape) != tuple(variable.shape):
                raise CheckpointError(
                    f"weights: {name!r} must have shape {tuple(variable.shape)}; "
                    f"got {tuple(weights[name].shape)}."
                )
            variable.assign(weights[name])

    @property
    def n_parameters(self) -> int:
        """Count of all weights."""
        return sum(int(np.prod(variable.shape)) for _, variable, _ in self.variables())

    def n_parameters_without(self, n_rows: int) -> int:
        """Count the weights but those of some rows of the embedding."""
        if self.embedding is None:
            return self.n_parameters
        return self.n_parameters - n_rows * int(self.embedding[0].embeddings.shape[-1])
