"""The sizes of an encoder that is pretrained here."""

from __future__ import annotations

from tuner.models.pretrained.architecture import Architecture, one_group_a_block

__all__ = ["bert_architecture"]


def bert_architecture(*, layers: int, width: int, heads: int, length: int) -> Architecture:
    """Give a BERT: the feed-forward half is four widths wide (Devlin et al. 2019, section 3).

    >>> bert_architecture(layers=2, width=128, heads=2, length=64).group_names
    ('embedding', 'block_1', 'block_2')
    """
    return Architecture(
        width=width,
        embedding_width=width,
        feed_forward_width=4 * width,
        n_heads=heads,
        n_positions=length,
        groups=one_group_a_block(layers),
        activation="gelu",
        epsilon=1e-12,
    )
