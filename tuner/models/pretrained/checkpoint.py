"""A checkpoint in one form, wherever it came from: sizes, weights, tokenizer, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.config import digest
from tuner.models.pretrained.architecture import Architecture

__all__ = ["Checkpoint", "Pieces", "Weights", "content_digest"]

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts as the checkpoint's own pieces, without padding.

    `flat` (n_pieces,) int32 holds all ids one text after the other, start and end included;
    `lengths` (n,) int32 how many belong to each.
    """

    flat: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained encoder.

    Attributes
    ----------
    source
        What the user named, for messages.
    digest
        SHA-256 of all that decides about its output, 64 hexadecimal digits.
    architecture
        Sizes.
    read_weights
        Gives all weights but the word embeddings, by name: `embedding/position` (n_positions,
        embedding_width), `embedding/norm/scale`, `embedding/norm/offset`, where there is one
        `embedding/projection/kernel` and `/bias`, and for each block `block_<b>/attention/kernel`
        (width, 3 * width: query, key, value) and `/bias`, `output/…`, `attention_norm/…`,
        `expand/…`, `contract/…`, `output_norm/…`.
    read_words
        Gives the word embeddings of some ids, (n, embedding_width) float32.
    tokenize
        Cuts texts into ids, without start and end.
    start, end
        Ids that stand around every text.
    prompt
        Put before every text, as the checkpoint was trained with.
    """

    source: str
    digest: str
    architecture: Architecture
    read_weights: Callable[[], Weights]
    read_words: Callable[[npt.NDArray[np.int32]], npt.NDArray[np.float32]]
    tokenize: Callable[[Sequence[str]], list[list[int]]]
    start: int
    end: int
    prompt: str = ""

    @cached_property
    def weights(self) -> Weights:
        """All weights but the word embeddings, read once."""
        return self.read_weights()

    @property
    def least_tokens(self) -> int:
        """Tokens with which a text has one piece left beside start, end and prompt."""
        return 2 + sum(map(len, self.tokenize([self.prompt] if self.prompt else []))) + 1

    def encode(self, texts: Sequence[str], *, max_tokens: int) -> Pieces:
        """Cut texts into pieces.

        Parameters
        ----------
        texts
            Cleaned texts, length n; an empty one becomes start and end alone.
        max_tokens
            Longer texts are cut, start and end counted; the encoder's positions bound it too.
        """
        room = min(max_tokens, self.architecture.n_positions) - 2
        ids = [
            [self.start, *pieces[: max(0, room)], self.end]
            for pieces in self.tokenize([self.prompt + text for text in texts])
        ]
        lengths = np.fromiter(map(len, ids), np.int32, len(ids))
        flat = np.fromiter((i for row in ids for i in row), np.int32, int(lengths.sum()))
        return Pieces(flat, lengths)


def content_digest(
    architecture: Architecture,
    words: npt.NDArray[np.float32],
    weights: Weights,
    tokenizer: Sequence[Any],
) -> str:
    """Identify what decides about an encoder's output; the same in every process.

    Parameters
    ----------
    tokenizer
        What decides about the pieces, as JSON values.
    """
    sizes = asdict(architecture)
    if not architecture.projects_equal_width:
        del sizes["projects_equal_width"]  # keeps the digests of before there was such a thing
    content = hashlib.sha256(digest([sizes, list(tokenizer)]).encode())
    for name, array in (("embedding/word", words), *sorted(weights.items())):
        content.update(name.encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()
