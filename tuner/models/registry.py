"""Find backbones: every file in `tuner/models/backbones/` is one, and the pretrained ones."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from tuner.config import ModelSettings, did_you_mean
from tuner.errors import ConfigError
from tuner.models.pretrained import PRETRAINED, checkpoint_groups, is_pretrained
from tuner.models.shape import ModelShape

__all__ = [
    "backbone_class",
    "backbone_names",
    "ignored_settings",
    "layer_groups",
    "model_shape",
    "network_width",
    "token_dropout",
]

ONLY_PRETRAINED = frozenset(
    {
        "model.checkpoint",
        "model.pooling",
        "model.head_width",
        "model.encoder_dropout",
        "training.encoder_learning_rate",
        "training.encoder_batch_size",
        "training.encoder_micro_batch_size",
        "training.encoder_schedule",
        "training.warmup",
        "training.gradual_unfreezing",
        "training.precision",
        "regularization.l2_sp",
    }
)
# The checkpoint's own tokenizer reads the text as it was written.
ONLY_FROM_SCRATCH = frozenset(
    {
        "model.embedding_width",
        "model.width",
        "model.kernel_sizes",
        "model.token_dropout",
        "model.pooling_power",
        "model.vectors",
        "model.freeze_vectors",
        "training.embedding_updates",
        "augmentation.share",
        "augmentation.deletion",
        "augmentation.swap",
        "augmentation.neighbours",
        "augmentation.noise",
        "features.vocabulary_size",
        "features.min_count",
        "features.ngrams",
        "features.subwords",
        "features.ngram_min_count",
        "features.length_percentile",
        "preprocess.lower_case",
        "preprocess.punctuation",
        "preprocess.stop_words",
        "preprocess.segmenter",
        "preprocess.dictionary",
    }
)


def backbone_names() -> tuple[str, ...]:
    """Name the backbones that start from scratch, without loading any."""
    # By file name: importing the package would load TensorFlow.
    folder = Path(__file__).parent / "backbones"
    return tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__"))


def backbone_class(name: str) -> Any:
    """Load the class of a backbone that starts from scratch.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in backbone_names():
        names = (*backbone_names(), *PRETRAINED)
        raise ConfigError(
            f"model.backbone must be one of {', '.join(names)}; got {name!r}."
            f"{did_you_mean(name, names)}"
        )
    return import_module(f"tuner.models.backbones.{name}").Backbone


def layer_groups(settings: ModelSettings) -> tuple[str, ...]:
    """Name the layer groups below the head, from the input up.

    Raises
    ------
    ConfigError
        If there is no such backbone, or its checkpoint is not there.
    """
    if is_pretrained(settings.backbone):
        return checkpoint_groups(settings)
    groups: tuple[str, ...] = backbone_class(settings.backbone).GROUPS
    return groups


def ignored_settings(backbone: str) -> frozenset[str]:
    """Give the dotted names of the settings that have no meaning for a backbone."""
    if is_pretrained(backbone):
        return ONLY_FROM_SCRATCH
    found = backbone_class(backbone)
    ignored: frozenset[str] = found.IGNORED | ONLY_PRETRAINED
    # A piece stands behind the text, not at its word's place.
    return ignored | {"features.subwords"} if found.USES_ORDER else ignored


def model_shape(settings: ModelSettings, *, vocabulary_size: int, n_classes: int) -> ModelShape:
    """Resolve the sizes of a network; one that the backbone ignores is always the default."""
    ignored = ignored_settings(settings.backbone)
    defaults = {
        field: about.default
        for field, about in ModelSettings.model_fields.items()
        if f"model.{field}" in ignored
    }
    heeded = settings.model_copy(update=defaults)
    return ModelShape(
        settings.backbone,
        vocabulary_size,
        n_classes,
        heeded.embedding_width,
        network_width(heeded, n_classes),
        heeded.kernel_sizes,
    )


def network_width(settings: ModelSettings, n_classes: int) -> int:
    """Give the hidden width or the filters per kernel size: the setting, or the backbone's own."""
    if settings.width is not None:
        return settings.width
    return int(backbone_class(settings.backbone).default_width(n_classes))


def token_dropout(settings: ModelSettings) -> float:
    """Give the share of tokens hidden while training: the setting, or the backbone's own."""
    if settings.token_dropout is not None:
        return settings.token_dropout
    return float(backbone_class(settings.backbone).TOKEN_DROPOUT)
