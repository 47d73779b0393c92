"""Sections of what a trial trains: model, training, regularization, augmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.config.section import NONE_WORD, Fraction, Penalty, Section

__all__ = [
    "AugmentationSettings",
    "ModelSettings",
    "RegularizationSettings",
    "TrainingSettings",
]


class ModelSettings(Section):
    """The network."""

    backbone: str = "average"
    checkpoint: str | None = None
    """`pretrained`: a Hugging Face folder, a KerasHub preset folder or a preset's name."""
    embedding_width: Annotated[int, Field(ge=1, le=4096)] = 64
    width: Annotated[Annotated[int, Field(ge=1, le=8192)] | None, NONE_WORD] = None
    """Units of the hidden layer, or filters per kernel size; None takes the backbone's own."""
    kernel_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)
    ] = (3, 4, 5)
    dropout: Fraction = 0.3
    token_dropout: Fraction | None = None
    """Share of tokens hidden while training (Iyyer et al. 2015, section 3.1); None takes the
    backbone's own."""
    pooling_power: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """`average`: the mean embedding times n_tokens to this power; 0 is the classic mean."""
    frozen_depth: Annotated[int, Field(ge=0)] = 0
    """Layer groups frozen while fine-tuning, counted from the input."""
    pooling: Literal["mean", "cls", "max"] = "mean"
    """Pretrained: how the pieces of a text become one vector."""
    head_width: Annotated[Annotated[int, Field(ge=1, le=8192)] | None, NONE_WORD] = None
    """Pretrained: units of a hidden layer in the head; None for a linear head."""
    encoder_dropout: Fraction = 0.1
    """Pretrained: share of units hidden in the open groups, as in BERT."""
    vectors: Annotated[str, Field(min_length=1)] = "none"
    """File of word vectors to start the embedding from (`.npz`, word2vec `.bin` or text)."""
    freeze_vectors: bool = False
    """Keep an embedding that starts from `vectors` so in both phases (Kim 2014, "static")."""


class TrainingSettings(Section):
    """Both phases of a trial."""

    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = 5e-3
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Phase one, in epochs."""
    fine_tune_epochs: Annotated[int, Field(ge=0, le=10_000)] = 3
    """Phase two, in epochs."""
    steps_per_epoch_min: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """An epoch of a small table goes over train several times, until it has so many batches."""
    fine_tune_scale: Annotated[float, Field(gt=0.0, le=10.0)] = 0.3
    """Learning rate of phase two as a share of phase one's."""
    layer_decay: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
    """Ratio of the rates of neighbouring groups while fine-tuning; 1 = all equal."""
    embedding_updates: Literal["dense", "touched"] = "dense"
    """`dense`: as Keras's Adam; `touched`: rows that a batch does not touch stay as they are."""
    schedule: Literal["linear", "constant"] = "linear"
    """`linear`: the rate falls to 0 over each phase, as fastText's does."""
    patience: Annotated[int, Field(ge=1)] = 2
    """A phase ends after so many epochs without a better validation value."""
    encoder_learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 5e-5
    """Pretrained: of the encoder's top group in phase two; `learning_rate` is the head's."""
    encoder_batch_size: Annotated[int, Field(ge=1, le=65_536)] = 16
    """Pretrained: rows a step in phase two."""
    encoder_micro_batch_size: Annotated[
        Annotated[int, Field(ge=1, le=65_536)] | None, NONE_WORD
    ] = None
    """Pretrained: rows a pass; gradients add up to the step's. None: as many as 1 024 pieces."""
    encoder_schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Pretrained: how the rate falls over phase two."""
    warmup: Fraction = 0.1
    """Pretrained: share of phase two over which the rate rises from 0."""
    gradual_unfreezing: bool = False
    """Pretrained: open the groups from the top down over phase two (Howard and Ruder 2018)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Pretrained: of the products in the open groups."""
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Focal loss (Lin et al. 2017): rows that are learnt already count less; 0 is off."""


class RegularizationSettings(Section):
    """Penalties on kernels and touched embedding rows; 0.0 is off."""

    l1: Penalty = 0.0
    l2: Penalty = 0.0
    l2_sp: Penalty = 0.0
    """Pretrained: penalty l2_sp · Σ(w - w of the checkpoint)² (Li et al. 2018)."""


class AugmentationSettings(Section):
    """Random changes of train texts, of no other part's; all chances 0 is off."""

    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Share of the texts of a batch that are changed."""
    deletion: Fraction = 0.0
    """Chance of a token to be left out (Wei and Zou 2019, section 2)."""
    swap: Fraction = 0.0
    """Chance of a token to change places with others that are drawn."""
    neighbours: Fraction = 0.0
    """Chance of a token to become one that stands among the same words in train."""
    noise: Fraction = 0.0
    """Chance of a token to be misspelt by one character."""

    @property
    def is_on(self) -> bool:
        """Whether any text is changed."""
        chances = (self.deletion, self.swap, self.neighbours, self.noise)
        return self.share > 0 and any(chance > 0 for chance in chances)
