"""What a training step of an encoder takes: the trial's numbers, and the rows of a pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MicroBatch", "StepNumbers"]


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """Numbers of a trial that enter the program as tensors or at the update.

    `rates` holds a learning rate per layer group, from the input up, the head last.
    """

    rates: npt.NDArray[np.float32]
    l1: float
    l2: float
    l2_sp: float
    dropout: float
    encoder_dropout: float
    label_smoothing: float
    focal_gamma: float
    class_weights: npt.NDArray[np.float32]

    def scalars(self) -> npt.NDArray[np.float32]:
        """Give L1, L2, both dropouts, smoothing and focus, (6,), as the program unpacks them."""
        return np.array(
            [
                self.l1,
                self.l2,
                self.dropout,
                self.encoder_dropout,
                self.label_smoothing,
                self.focal_gamma,
            ],
            np.float32,
        )


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Part of a step: what goes into the cut (batch, length, …), lengths and labels (batch,)."""

    values: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
