"""Find backbones: every file in `tuner/models/backbones/` is one, under its own name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from tuner.config import ModelSettings, did_you_mean
from tuner.errors import ConfigError
from tuner.models.shape import ModelShape

__all__ = ["backbone_class", "backbone_names", "model_shape"]


def backbone_names() -> tuple[str, ...]:
    """Name the backbones there are, without loading any."""
    # By file name: importing the package would load TensorFlow.
    folder = Path(__file__).parent / "backbones"
    return tuple(sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__"))


def backbone_class(name: str) -> Any:
    """Load a backbone's class.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in backbone_names():
        raise ConfigError(
            f"model.backbone must be one of {', '.join(backbone_names())}; got {name!r}."
            f"{did_you_mean(name, backbone_names())}"
        )
    return import_module(f"tuner.models.backbones.{name}").Backbone


def model_shape(settings: ModelSettings, *, vocabulary_size: int, n_classes: int) -> ModelShape:
    """Resolve the sizes of a network."""
    width = settings.width or backbone_class(settings.backbone).default_width(n_classes)
    return ModelShape(
        settings.backbone,
        vocabulary_size,
        n_classes,
        settings.embedding_width,
        width,
        settings.kernel_sizes,
    )
