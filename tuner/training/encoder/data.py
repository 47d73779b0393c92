"""What all trials on one study's texts share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuner.training.encoder.prefix import ActivationCache
from tuner.training.encoder.texts import EncoderTexts

__all__ = ["EncoderData", "LabelledRows"]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """A part: positions of its texts in `EncoderTexts` and class numbers, both (n,)."""

    rows: npt.NDArray[np.intp]
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True)
class EncoderData:
    """The texts, the open parts among them, and where activations are kept; None for nowhere."""

    texts: EncoderTexts
    train: LabelledRows
    validation: LabelledRows
    selection: LabelledRows
    classes: tuple[str, ...]
    cache: ActivationCache | None
