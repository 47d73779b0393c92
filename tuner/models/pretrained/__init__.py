"""Pretrained encoders: checkpoints, their tokenizers, and the network that runs them."""

from tuner.models.pretrained.architecture import Architecture
from tuner.models.pretrained.checkpoint import Checkpoint, Pieces
from tuner.models.pretrained.sources import (
    PRETRAINED,
    checkpoint_groups,
    is_pretrained,
    least_tokens,
    open_checkpoint,
)

__all__ = [
    "PRETRAINED",
    "Architecture",
    "Checkpoint",
    "Pieces",
    "checkpoint_groups",
    "is_pretrained",
    "least_tokens",
    "open_checkpoint",
]
