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

    def __str__(self) -> str:
        """Give the sizes in words.

        >>> print(ModelShape("average", 20_000, 2, 64, 32, (3, 4, 5)))
        average 20000 x 64 x 32, kernels 3 4 5, 2 classes
        """
        kernels = " ".join(map(str, self.kernel_sizes))
        return (
            f"{self.backbone} {self.vocabulary_size} x {self.embedding_width} x {self.width}, "
            f"kernels {kernels}, {self.n_classes} classes"
        )
