"""What a Hugging Face folder says beside the weights that KerasHub converts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from tokenizers import BertWordPieceTokenizer

from tuner.errors import ConfigError
from tuner.models.pretrained.architecture import Activation
from tuner.models.pretrained.checkpoint import Weights

__all__ = ["ACTIVATIONS", "read_config", "with_segment", "word_piece_options", "word_pieces"]

_TYPES = ("albert", "bert", "roberta", "xlm-roberta")
# Hugging Face's names for the activation; BERT's own "gelu" is the exact one.
ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


def read_config(folder: Path, named: str) -> dict[str, Any]:
    """Read the `config.json` of a Hugging Face folder; {} for a preset of KerasHub."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"model.checkpoint must be a folder with a config.json; {named!r} has none."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.checkpoint: {path} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise ConfigError(f"model.checkpoint: {path} must hold an object.")
    if "registered_name" in config:
        return {}
    if config.get("model_type") not in _TYPES:
        raise ConfigError(
            f"model.checkpoint: model_type must be one of {', '.join(_TYPES)}; "
            f"{path} says {config.get('model_type')!r}."
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ConfigError(
            "model.checkpoint: position_embedding_type must be 'absolute'; "
            f"{path} says {config['position_embedding_type']!r}."
        )
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise ConfigError(
            f"model.checkpoint: hidden_act must be one of {', '.join(ACTIVATIONS)}; "
            f"{path} says {config['hidden_act']!r}."
        )
    return config


def with_segment(weights: Weights, folder: Path) -> Weights:
    """Add the one segment of a RoBERTa, which KerasHub's converter leaves out."""
    position = weights["embedding/position"]
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                if name.endswith("embeddings.token_type_embeddings.weight"):
                    position = position + tensors.get_tensor(name)[0].astype(np.float32)
    return {**weights, "embedding/position": position}


def word_piece_options(folder: Path) -> dict[str, Any]:
    """Give what `tokenizer_config.json` says of a BERT's tokenizer."""
    found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return {
        "lowercase": bool(found["do_lower_case"]),
        "strip_accents": found.get("strip_accents"),
        "handle_chinese_chars": bool(found.get("tokenize_chinese_chars", True)),
    }


def word_pieces(
    folder: Path, options: Mapping[str, Any]
) -> Callable[[Sequence[str]], list[list[int]]]:
    """Give the tokenizer of a Hugging Face BERT.

    KerasHub's folds the case of the whole Unicode, by which Chinese punctuation becomes ASCII and
    so another piece than the one the checkpoint was trained with.
    """
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), **options)

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [
            list(found.ids)
            for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]

    return tokenize
