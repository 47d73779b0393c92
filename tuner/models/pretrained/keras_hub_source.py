"""Presets of KerasHub, by name or folder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.errors import ConfigError
from tuner.models import runtime as _runtime  # noqa: F401 - before Keras is loaded
from tuner.models.pretrained.architecture import Architecture
from tuner.models.pretrained.checkpoint import Checkpoint, Weights, content_digest
from tuner.models.pretrained.lfs_pointer import refuse_lfs_pointer
from tuner.nearest import did_you_mean

import keras_hub  # isort: skip - after the runtime
from tensorflow.errors import OpError  # isort: skip - after the runtime

__all__ = ["OpError", "keras_hub", "keras_hub_pieces", "read_keras_hub"]

_FAMILIES = ("AlbertBackbone", "BertBackbone", "RobertaBackbone", "XLMRobertaBackbone")
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, OpError)


def read_keras_hub(named: str) -> Checkpoint:
    """Read a preset of KerasHub.

    Parameters
    ----------
    named
        Its name, or a folder that KerasHub has written.

    Raises
    ------
    ConfigError
        If it is not there, not whole, or of a family other than BERT, RoBERTa, XLM-R, ALBERT.

    Notes
    -----
    KerasHub runs every BERT and ALBERT with the approximate GELU, and so do we its presets.
    """
    backbone, tokenizer = _load(Path(named).expanduser(), named)
    family = type(backbone).__name__
    if family not in _FAMILIES:
        raise ConfigError(
            "model.checkpoint must be an encoder of BERT, RoBERTa, XLM-R or ALBERT kind; "
            f"{named!r} is a {family}."
        )
    words, weights = _weights(backbone, family)
    architecture = _architecture(backbone, family, named)
    return Checkpoint(
        source=named,
        digest=content_digest(architecture, words, weights, _about(tokenizer)),
        architecture=architecture,
        read_weights=lambda: weights,
        read_words=lambda ids: words[ids],
        tokenize=partial(keras_hub_pieces, tokenizer),
        start=int(tokenizer.start_token_id),
        end=int(tokenizer.end_token_id),
    )


def _load(folder: Path, named: str) -> tuple[Any, Any]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            refuse_lfs_pointer(path)
        try:
            return _from_preset(str(folder))
        except (*_UNREADABLE, TypeError, AttributeError) as error:
            raise ConfigError(
                f"model.checkpoint: the folder {named!r} cannot be read as a preset of KerasHub; "
                "it needs config.json, model.weights.h5, tokenizer.json and assets/: "
                f"{type(error).__name__}: {_first_line(error)}"
            ) from error
    presets = keras_hub.models.Backbone.presets
    if named not in presets:
        raise ConfigError(
            "model.checkpoint must be a folder that is there or the name of a KerasHub preset; "
            f"got {named!r}.{did_you_mean(named, list(presets))}"
        )
    try:
        return _from_preset(named)
    except _UNREADABLE as error:
        raise ConfigError(
            f"model.checkpoint: the preset {named!r} is not on this disk and cannot be fetched "
            f"({type(error).__name__}); where there is no network, put its folder (config.json, "
            "model.weights.h5, tokenizer.json, assets/) or a Hugging Face folder (config.json, "
            "vocabulary, model.safetensors) on the disk and set model.checkpoint to its path."
        ) from error


def _from_preset(preset: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # KerasHub leaves a file open
        return (
            keras_hub.models.Backbone.from_preset(preset),
            keras_hub.models.Tokenizer.from_preset(preset),
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]


def _architecture(backbone: Any, family: str, named: str) -> Architecture:
    is_bert_like = family in ("BertBackbone", "AlbertBackbone")
    if family == "AlbertBackbone":
        repetitions = backbone.num_inner_repetitions
        groups = tuple(
            tuple(range(group * repetitions, (group + 1) * repetitions))
            * (backbone.num_layers // backbone.num_groups)
            for group in range(backbone.num_groups)
        )
        embedding_width = backbone.embedding_dim
    else:
        groups = tuple((block,) for block in range(backbone.num_layers))
        embedding_width = backbone.hidden_dim
    if backbone.hidden_dim % backbone.num_heads:
        raise ConfigError(
            f"model.checkpoint: {named!r} has {backbone.num_heads} heads, which do not divide its "
            f"width of {backbone.hidden_dim}."
        )
    return Architecture(
        width=backbone.hidden_dim,
        embedding_width=embedding_width,
        feed_forward_width=backbone.intermediate_dim,
        n_heads=backbone.num_heads,
        n_positions=backbone.max_sequence_length,
        groups=groups,
        activation="gelu_tanh" if is_bert_like else "gelu",
        epsilon=1e-12 if is_bert_like else 1e-5,
        projects_equal_width=family == "AlbertBackbone" and embedding_width == backbone.hidden_dim,
    )


def _array(variable: Any) -> npt.NDArray[np.float32]:
    return np.asarray(variable.numpy(), np.float32)


def _weights(backbone: Any, family: str) -> tuple[npt.NDArray[np.float32], Weights]:
    """Give the word embeddings, and all other weights under our names."""
    if family in ("BertBackbone", "AlbertBackbone"):
        words = _array(backbone.get_layer("token_embedding").embeddings)
        position = _array(backbone.get_layer("position_embedding").position_embeddings)
        # A single text is all of segment 0.
        position = position + _array(backbone.get_layer("segment_embedding").embeddings)[0]
    else:
        words = _array(backbone.embeddings.token_embedding.embeddings)
        position = _array(backbone.embeddings.position_embedding.position_embeddings)
    norm = backbone.get_layer("embeddings_layer_norm")
    weights = {
        "embedding/position": position,
        "embedding/norm/scale": _array(norm.gamma),
        "embedding/norm/offset": _array(norm.beta),
    }
    layers = backbone.transformer_layers
    if family == "AlbertBackbone":
        weights["embedding/projection/kernel"] = _array(backbone.embeddings_projection.kernel)
        weights["embedding/projection/bias"] = _array(backbone.embeddings_projection.bias)
        layers = [layer for group in layers for layer in group]
    for number, layer in enumerate(layers):
        weights |= _block(layer, f"block_{number}", backbone.hidden_dim)
    return words, weights


def _block(layer: Any, name: str, width: int) -> Weights:
    attention = layer._self_attention_layer
    inputs = (attention.query_dense, attention.key_dense, attention.value_dense)
    norms = (layer._self_attention_layer_norm, layer._feedforward_layer_norm)
    expand, contract = layer._feedforward_intermediate_dense, layer._feedforward_output_dense
    return {
        f"{name}/attention/kernel": np.concatenate(
            [_array(dense.kernel).reshape(width, width) for dense in inputs], axis=1
        ),
        f"{name}/attention/bias": np.concatenate(
            [_array(dense.bias).reshape(width) for dense in inputs]
        ),
        f"{name}/output/kernel": _array(attention.output_dense.kernel).reshape(width, width),
        f"{name}/output/bias": _array(attention.output_dense.bias),
        f"{name}/attention_norm/scale": _array(norms[0].gamma),
        f"{name}/attention_norm/offset": _array(norms[0].beta),
        f"{name}/expand/kernel": _array(expand.kernel),
        f"{name}/expand/bias": _array(expand.bias),
        f"{name}/contract/kernel": _array(contract.kernel),
        f"{name}/contract/bias": _array(contract.bias),
        f"{name}/output_norm/scale": _array(norms[1].gamma),
        f"{name}/output_norm/offset": _array(norms[1].beta),
    }


def keras_hub_pieces(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Cut texts with a tokenizer of KerasHub, without start and end."""
    if not texts:
        return []
    found = tokenizer(list(texts))
    rows = found.to_list() if hasattr(found, "to_list") else list(found)
    return [[int(piece) for piece in row] for row in rows]


def _about(tokenizer: Any) -> list[Any]:
    """Give what decides about a tokenizer's output."""
    options = {
        # Of a set in a list the order is another one in every process.
        name: sorted(map(str, value)) if isinstance(value, list) else value
        for name, value in tokenizer.get_config().items()
        if isinstance(value, bool | int | str | list | type(None)) and name != "name"
    }
    merges = list(getattr(tokenizer, "merges", None) or ())
    return [type(tokenizer).__name__, options, list(tokenizer.get_vocabulary()), merges]
