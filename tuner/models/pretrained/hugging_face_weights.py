"""The weights of a Hugging Face folder, under our names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ml_dtypes as _ml_dtypes  # noqa: F401 - teaches NumPy bfloat16
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from tuner.errors import ConfigError
from tuner.models.pretrained.architecture import Architecture
from tuner.models.pretrained.checkpoint import Weights
from tuner.models.pretrained.lfs_pointer import refuse_lfs_pointer

__all__ = ["read_weights"]

_WORDS = "embeddings.word_embeddings.weight"
_OTHERS = ("pytorch_model*.bin", "tf_model*.h5", "flax_model*.msgpack", "model*.ckpt*")
# Per block: our name, Hugging Face's in BERT and RoBERTa, and in ALBERT.
_DENSES = (
    ("attention", "attention.self.query", "attention.query"),
    ("attention", "attention.self.key", "attention.key"),
    ("attention", "attention.self.value", "attention.value"),
    ("output", "attention.output.dense", "attention.dense"),
    ("expand", "intermediate.dense", "ffn"),
    ("contract", "output.dense", "ffn_output"),
)
_OLDER_ENDINGS = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
_NORMS = (
    ("attention_norm", "attention.output.LayerNorm", "attention.LayerNorm"),
    ("output_norm", "output.LayerNorm", "full_layer_layer_norm"),
)


def read_weights(
    folder: Path, architecture: Architecture, *, is_albert: bool, n_reserved: int
) -> tuple[npt.NDArray[np.float32], Weights]:
    """Read the word embeddings (n_words, embedding_width), and all other weights.

    Half precision is widened. What belongs to a pooler or another head is left alone.

    Parameters
    ----------
    is_albert
        Whether the names are ALBERT's.
    n_reserved
        Positions before that of a text's first piece.

    Raises
    ------
    ConfigError
        If a file is missing or damaged, or a tensor is missing, of another shape, or not finite.
    """
    with ExitStack() as opened:
        tensors = _Tensors(folder, opened)
        about = architecture
        narrow = about.embedding_width
        position = tensors.get(
            "embeddings.position_embeddings.weight", (n_reserved + about.n_positions, narrow)
        )[n_reserved:]
        segment = tensors.find("embeddings.token_type_embeddings.weight", (None, narrow))
        weights = {
            # A single text is all of segment 0.
            "embedding/position": position if segment is None else position + segment[0],
            **tensors.norm("embedding/norm", "embeddings.LayerNorm", narrow),
        }
        if is_albert:
            name = "encoder.embedding_hidden_mapping_in"
            weights |= tensors.dense("embedding/projection", name, (narrow, about.width))
        for number, layer in enumerate(_layers(about, is_albert=is_albert)):
            weights |= _block(tensors, f"block_{number}", layer, about, is_albert=is_albert)
        return tensors.get(_WORDS, (None, narrow)), weights


def _layers(about: Architecture, *, is_albert: bool) -> Iterator[str]:
    """Give the beginnings of the blocks' names, in the order of our numbers."""
    if not is_albert:
        yield from (f"encoder.layer.{number}." for number in range(about.n_blocks))
        return
    for group, blocks in enumerate(about.groups):
        for inner in range(len(set(blocks))):
            yield f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."


def _block(
    tensors: _Tensors, name: str, layer: str, about: Architecture, *, is_albert: bool
) -> Weights:
    width, inner = about.width, about.feed_forward_width
    shapes = {"expand": (width, inner), "contract": (inner, width)}
    parts: dict[str, list[npt.NDArray[np.float32]]] = {}
    for ours, *theirs in _DENSES:
        found = tensors.dense(
            f"{name}/{ours}", f"{layer}{theirs[is_albert]}", shapes.get(ours, (width, width))
        )
        for key, array in found.items():
            parts.setdefault(key, []).append(array)
    weights = {key: np.concatenate(arrays, axis=-1) for key, arrays in parts.items()}
    for ours, *theirs in _NORMS:
        weights |= tensors.norm(f"{name}/{ours}", f"{layer}{theirs[is_albert]}", width)
    return weights


class _Tensors:
    """The tensors of one or several files, by the name that follows the model's own prefix."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder = folder
        self._files: dict[str, tuple[Path, Any]] = {}
        for path in _weight_files(folder):
            refuse_lfs_pointer(path)
            try:
                tensors = opened.enter_context(safe_open(path, framework="np"))
                self._files |= dict.fromkeys(tensors.keys(), (path, tensors))
            except (OSError, SafetensorError) as error:
                raise _damaged(path, error) from error
        words = next((name for name in self._files if name.endswith(_WORDS)), _WORDS)
        self._prefix = words.removesuffix(_WORDS)

    def find(self, name: str, shape: tuple[int | None, ...]) -> npt.NDArray[np.float32] | None:
        """Give a tensor as float32; None if there is none of that name."""
        older = name
        for new, old in _OLDER_ENDINGS.items():
            older = older.replace(new, old)
        names = (self._prefix + name, self._prefix + older)
        whole = next((each for each in names if each in self._files), None)
        if whole is None:
            return None
        path, tensors = self._files[whole]
        try:
            array = np.asarray(tensors.get_tensor(whole)).astype(np.float32)
        except (OSError, SafetensorError, TypeError) as error:
            raise _damaged(path, error) from error
        is_fit = len(array.shape) == len(shape) and all(
            wanted in (None, there) for wanted, there in zip(shape, array.shape, strict=True)
        )
        if not is_fit:
            wanted = " x ".join("n" if n is None else str(n) for n in shape)
            raise ConfigError(
                f"model.checkpoint: {whole} must be {wanted}, by config.json; {path} has "
                f"{' x '.join(map(str, array.shape))}."
            )
        if not np.isfinite(array).all():
            raise ConfigError(
                f"model.checkpoint: {whole} in {path} holds numbers that are not finite."
            )
        return array

    def get(self, name: str, shape: tuple[int | None, ...]) -> npt.NDArray[np.float32]:
        """Give a tensor that must be there."""
        found = self.find(name, shape)
        if found is None:
            raise ConfigError(
                f"model.checkpoint: the weights in {self._folder} must hold {self._prefix}{name}, "
                f"by config.json; they have {len(self._files)} tensors, and not that one."
            )
        return found

    def dense(self, ours: str, theirs: str, shape: tuple[int, int]) -> Mapping[str, Any]:
        """Give kernel `shape` and bias of a dense layer; PyTorch keeps the kernel transposed."""
        kernel = self.get(f"{theirs}.weight", shape[::-1])
        return {
            f"{ours}/kernel": np.ascontiguousarray(kernel.T),
            f"{ours}/bias": self.get(f"{theirs}.bias", shape[1:]),
        }

    def norm(self, ours: str, theirs: str, width: int) -> Mapping[str, Any]:
        """Give scale and offset of a layer normalisation."""
        return {
            f"{ours}/scale": self.get(f"{theirs}.weight", (width,)),
            f"{ours}/offset": self.get(f"{theirs}.bias", (width,)),
        }


def _weight_files(folder: Path) -> list[Path]:
    """Give the files with the weights: one, or the parts of a large one."""
    whole = folder / "model.safetensors"
    found = [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))
    if not found:
        others = sorted(path.name for pattern in _OTHERS for path in folder.glob(pattern))
        hint = (
            f"; it has {others[0]}: write it once more where PyTorch and transformers are, "
            f"AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True)"
            if others
            else ""
        )
        raise ConfigError(f"model.checkpoint: {folder} has no model.safetensors{hint}.")
    return found


def _damaged(path: Path, error: BaseException) -> ConfigError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ConfigError(f"model.checkpoint: {path} cannot be read as safetensors: {said}.")
