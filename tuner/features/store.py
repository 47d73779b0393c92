"""Encoded parts as bytes, for the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.features.encode import Encoded, Encoder

__all__ = ["features_from_arrays", "features_to_arrays"]


def features_to_arrays(
    encoder: Encoder, parts: Mapping[str, Encoded]
) -> dict[str, npt.NDArray[np.generic]]:
    """Give an encoder and its encoded parts as named arrays."""
    head = json.dumps(
        {
            "tokens": list(encoder.vocabulary),
            "ngrams": encoder.ngrams,
            "max_tokens": encoder.max_tokens,
        },
        ensure_ascii=False,
    )
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "head": np.frombuffer(head.encode("utf-8", "surrogatepass"), np.uint8)
    }
    for name, encoded in parts.items():
        arrays[f"{name}.flat"] = encoded.flat
        arrays[f"{name}.lengths"] = encoded.lengths
    return arrays


def features_from_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], names: Sequence[str]
) -> tuple[Encoder, dict[str, Encoded]]:
    """Read what `features_to_arrays` gave."""
    head = json.loads(arrays["head"].tobytes().decode("utf-8", "surrogatepass"))
    vocabulary = {token: number for number, token in enumerate(head["tokens"])}
    encoder = Encoder(vocabulary, head["ngrams"], head["max_tokens"])
    parts = {
        name: Encoded(
            arrays[f"{name}.flat"].astype(np.int32), arrays[f"{name}.lengths"].astype(np.int32)
        )
        for name in names
    }
    return encoder, parts
