"""Checkpoints as Hugging Face stores them: `config.json`, a vocabulary, safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuner.errors import ConfigError
from tuner.models.pretrained.architecture import Activation, Architecture, one_group_a_block
from tuner.models.pretrained.checkpoint import Checkpoint, content_digest
from tuner.models.pretrained.hugging_face_pieces import open_tokenizer
from tuner.models.pretrained.hugging_face_weights import read_weights
from tuner.models.pretrained.lfs_pointer import refuse_lfs_pointer

__all__ = ["is_keras_hub_preset", "read_hugging_face"]

_TYPES = ("albert", "bert", "roberta", "xlm-roberta")
# Hugging Face's names for the activation; BERT's own "gelu" is the exact one.
_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# What a config that leaves a size out means by it.
_SIZES_LEFT_OUT = {
    "embedding_size": 128,
    "num_hidden_groups": 1,
    "inner_group_num": 1,
}


def read_hugging_face(folder: Path, named: str) -> Checkpoint:
    """Read the folder of a BERT, RoBERTa, XLM-R or ALBERT.

    Raises
    ------
    ConfigError
        If it is not whole, damaged, or of another kind.
    """
    path = folder / "config.json"
    config = _read_config(path)
    architecture = _architecture(config, path)
    n_reserved = _n_reserved(config, path)
    words, weights = read_weights(
        folder, architecture, is_albert=config["model_type"] == "albert", n_reserved=n_reserved
    )
    tokenizer = open_tokenizer(folder)
    if tokenizer.n_pieces > len(words):
        raise ConfigError(
            f"model.checkpoint: {folder} has {len(words)} word embeddings, and its tokenizer "
            f"{tokenizer.n_pieces} pieces; each piece needs one."
        )
    return Checkpoint(
        source=named,
        digest=content_digest(architecture, words, weights, tokenizer.about),
        architecture=architecture,
        read_weights=lambda: weights,
        read_words=lambda ids: words[ids],
        tokenize=tokenizer.tokenize,
        start=tokenizer.start,
        end=tokenizer.end,
    )


def is_keras_hub_preset(folder: Path) -> bool:
    """Say whether a folder is one that KerasHub itself has written.

    Raises
    ------
    ConfigError
        If it has no `config.json` that can be read.
    """
    return "registered_name" in _read_json(folder / "config.json")


def _read_json(path: Path) -> dict[str, Any]:
    refuse_lfs_pointer(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"model.checkpoint must be a folder with a config.json; {str(path.parent)!r} has none."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.checkpoint: {path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ConfigError(f"model.checkpoint: {path} must hold an object.")
    return found


def _read_config(path: Path) -> dict[str, Any]:
    config = _read_json(path)
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
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        raise ConfigError(
            f"model.checkpoint: hidden_act must be one of {', '.join(_ACTIVATIONS)}; "
            f"{path} says {config['hidden_act']!r}."
        )
    return config


def _is_roberta(config: dict[str, Any]) -> bool:
    return config["model_type"] in ("roberta", "xlm-roberta")


def _n_reserved(config: dict[str, Any], path: Path) -> int:
    """Count the positions before a text's first: RoBERTa's begin behind its padding's number."""
    if not _is_roberta(config):
        return 0
    return 1 + _size({"pad_token_id": 1, **config}, "pad_token_id", path, least=0)


def _size(config: dict[str, Any], name: str, path: Path, *, least: int = 1) -> int:
    value = config.get(name, _SIZES_LEFT_OUT.get(name))
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(
            f"model.checkpoint: {name} must be a whole number of at least {least}; {path} says "
            f"{config.get(name)!r}."
        )
    return value


def _architecture(config: dict[str, Any], path: Path) -> Architecture:
    def size(name: str) -> int:
        return _size(config, name, path)

    is_albert = config["model_type"] == "albert"
    width, n_heads, n_blocks = (
        size(name) for name in ("hidden_size", "num_attention_heads", "num_hidden_layers")
    )
    if width % n_heads:
        raise ConfigError(
            "model.checkpoint: num_attention_heads must divide hidden_size; "
            f"{path} says {n_heads} and {width}."
        )
    if is_albert:
        groups = _shared_groups(n_blocks, size("num_hidden_groups"), size("inner_group_num"), path)
        embedding_width = size("embedding_size")
    else:
        groups = one_group_a_block(n_blocks)
        embedding_width = width
    n_positions = size("max_position_embeddings")
    default = "gelu_new" if is_albert else "gelu"
    epsilon = 1e-5 if _is_roberta(config) else 1e-12
    return Architecture(
        width=width,
        embedding_width=embedding_width,
        feed_forward_width=size("intermediate_size"),
        n_heads=n_heads,
        n_positions=n_positions - _n_reserved(config, path),
        groups=groups,
        activation=_ACTIVATIONS[config.get("hidden_act", default)],
        epsilon=float(config.get("layer_norm_eps", epsilon)),
        projects_equal_width=is_albert and embedding_width == width,
    )


def _shared_groups(
    n_layers: int, n_groups: int, inner: int, path: Path
) -> tuple[tuple[int, ...], ...]:
    """Say which blocks each group of an ALBERT runs, in the order of its layers.

    Layer i is group int(i / (layers / groups)), as in transformers' AlbertTransformer.

    >>> _shared_groups(3, 2, 1, Path("config.json"))
    ((0, 0), (1,))
    """
    if n_groups > n_layers:
        raise ConfigError(
            "model.checkpoint: num_hidden_groups must be at most num_hidden_layers, since each "
            f"layer is of one group; {path} says {n_groups} and {n_layers}."
        )
    group_of = [int(layer / (n_layers / n_groups)) for layer in range(n_layers)]
    return tuple(
        tuple(range(group * inner, (group + 1) * inner)) * group_of.count(group)
        for group in range(n_groups)
    )
