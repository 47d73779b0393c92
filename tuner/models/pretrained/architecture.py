"""The sizes of a BERT-like encoder, and which of its blocks form a layer group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Activation", "Architecture", "one_group_a_block"]

Activation = Literal["gelu", "gelu_tanh", "relu"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """An encoder with layer normalisation behind each half of a block.

    Attributes
    ----------
    width
        Units of a token between the blocks.
    embedding_width
        Units of a token's embedding.
    feed_forward_width
        Units inside a block's second half.
    n_heads
        Attention heads; they share `width` evenly.
    n_positions
        Tokens a text can have, start and end included.
    groups
        Per layer group above the embedding the numbers of its blocks, in the order they run. A
        block that occurs twice has its weights shared (ALBERT).
    activation
        Of the feed-forward half; "gelu" is exact, "gelu_tanh" the approximation by tanh.
    epsilon
        Of all layer normalisations.
    projects_equal_width
        Whether a projection follows the embedding though it is as wide as the blocks (ALBERT).

    Notes
    -----
    Devlin et al. 2019, arXiv:1810.04805 (BERT); Liu et al. 2019, arXiv:1907.11692 (RoBERTa);
    Lan et al. 2020, arXiv:1909.11942 (ALBERT); Conneau et al. 2020, arXiv:1911.02116 (XLM-R).
    """

    width: int
    embedding_width: int
    feed_forward_width: int
    n_heads: int
    n_positions: int
    groups: tuple[tuple[int, ...], ...]
    activation: Activation
    epsilon: float
    projects_equal_width: bool = False

    @property
    def has_projection(self) -> bool:
        """Whether a projection follows the embedding."""
        return self.embedding_width != self.width or self.projects_equal_width

    @property
    def group_names(self) -> tuple[str, ...]:
        """Layer groups below the head, from the input up."""
        return ("embedding", *(f"block_{number}" for number in range(1, len(self.groups) + 1)))

    @property
    def n_blocks(self) -> int:
        """Blocks with weights of their own."""
        return len({block for group in self.groups for block in group})


def one_group_a_block(n_blocks: int) -> tuple[tuple[int, ...], ...]:
    """Give every block a layer group of its own.

    >>> one_group_a_block(2)
    ((0,), (1,))
    """
    return tuple((block,) for block in range(n_blocks))
