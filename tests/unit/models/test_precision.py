"""Where a processor multiplies bfloat16, the owner of an encoder is told once."""

from __future__ import annotations

import pytest

from tuner.config import load_settings
from tuner.models import precision_remark


@pytest.fixture
def told(tmp_path):
    def ask(backbone, *overrides, flags="fpu sse2 avx512_bf16 fma"):
        processor = tmp_path / "cpuinfo"
        processor.write_text(f"model name\t: some\nflags\t\t: {flags}\n", encoding="utf-8")
        settings = load_settings(overrides=[("model.backbone", backbone), *overrides])
        return precision_remark(settings, processor=processor)

    return ask


def test_bfloat16_is_advised_for_an_encoder(told):
    assert "training.precision=bfloat16" in told("e5-small")
    assert "training.precision=bfloat16" in told("e5-small", flags="amx_bf16")
    searched = ("space.model.backbone", {"choices": ["linear", "e5-small"]})
    assert "training.precision=bfloat16" in told("linear", searched)


@pytest.mark.parametrize(
    "given",
    [
        ("e5-small", ("training.precision", "float32")),
        ("e5-small", ("space.training.precision", {"choices": ["float32", "bfloat16"]})),
        ("textcnn",),
    ],
)
def test_nothing_is_advised_to_who_has_chosen_or_has_no_encoder(told, given):
    assert told(*given) is None


def test_nothing_is_advised_where_the_processor_does_not_multiply_it(told, tmp_path):
    assert told("e5-small", flags="fpu sse2 fma") is None
    settings = load_settings(overrides=[("model.backbone", "e5-small")])
    assert precision_remark(settings, processor=tmp_path / "none") is None
