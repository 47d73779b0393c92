"""Say when an encoder could be fine-tuned faster with narrower products."""

from __future__ import annotations

import re
from pathlib import Path

from tuner.config import Settings
from tuner.models.pretrained import is_pretrained
from tuner.models.searched_models import searched_models

__all__ = ["precision_remark"]

_PROCESSOR = Path("/proc/cpuinfo")
_MULTIPLIES_BFLOAT16 = re.compile(r"^flags\s*:.*\b(avx512_bf16|amx_bf16)\b", re.MULTILINE)


def precision_remark(settings: Settings, *, processor: Path = _PROCESSOR) -> str | None:
    """Advise `bfloat16` where this processor multiplies it natively and an encoder is trained.

    None where nothing is gained, and where `training.precision` was set or is searched.

    Parameters
    ----------
    processor
        What Linux says of the processor; without that file nothing is advised.
    """
    if "precision" in settings.training.model_fields_set or "training.precision" in settings.space:
        return None
    if not any(is_pretrained(model.backbone) for model in searched_models(settings)):
        return None
    if not processor.exists() or not _MULTIPLIES_BFLOAT16.search(processor.read_text("utf-8")):
        return None
    return (
        "this processor multiplies bfloat16 natively: with --set training.precision=bfloat16 an "
        "encoder is fine-tuned up to 2.7 times as fast, with scores as good (docs/encoders.md)"
    )
