"""Vocabulary and encoded parts as named arrays, for the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.features.encode import Encoded
from tuner.packed import PackedTexts

__all__ = [
    "encoded_from_arrays",
    "encoded_to_arrays",
    "vocabulary_from_arrays",
    "vocabulary_to_arrays",
]

Arrays = Mapping[str, npt.NDArray[Any]]


def vocabulary_to_arrays(vocabulary: Mapping[str, int]) -> dict[str, npt.NDArray[Any]]:
    """Give a vocabulary, whose numbers rise from 0, as named arrays."""
    tokens = PackedTexts.pack(vocabulary)
    return {"tokens": tokens.content, "starts": tokens.starts}


def vocabulary_from_arrays(arrays: Arrays) -> dict[str, int]:
    """Read what `vocabulary_to_arrays` gave."""
    tokens = PackedTexts(arrays["tokens"], arrays["starts"])
    return {token: number for number, token in enumerate(tokens)}


def encoded_to_arrays(
    parts: Mapping[str, Encoded], *, max_tokens: int
) -> dict[str, npt.NDArray[Any]]:
    """Give encoded parts, and the length they were cut at, as named arrays."""
    arrays: dict[str, npt.NDArray[Any]] = {"max_tokens": np.array([max_tokens], np.int64)}
    for name, encoded in parts.items():
        arrays[f"{name}.flat"] = encoded.flat
        arrays[f"{name}.lengths"] = encoded.lengths
    return arrays


def encoded_from_arrays(arrays: Arrays, names: Sequence[str]) -> tuple[dict[str, Encoded], int]:
    """Read what `encoded_to_arrays` gave."""
    parts = {name: Encoded(arrays[f"{name}.flat"], arrays[f"{name}.lengths"]) for name in names}
    return parts, int(arrays["max_tokens"][0])
