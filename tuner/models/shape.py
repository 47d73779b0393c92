"""What shapes a network; everything else is a number at run time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelShape"]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes that decide which compiled program serves a trial.

    `width` is the hidden width or the filters per kernel size, always resolved.
    """

    backbone: str
    vocabulary_size: int
    n_classes: int
    embedding_width: int
    width: int
    kernel_sizes: tuple[int, ...]
