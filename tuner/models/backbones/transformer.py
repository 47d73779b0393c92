"""A small transformer encoder, trained from scratch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from tuner.config import ModelSettings
from tuner.models.shape import ModelShape

if TYPE_CHECKING:
    from tuner.models.layers import Dropout

__all__ = ["Backbone", "Transformer"]

N_BLOCKS = 2


class Transformer:
    """Embedding with sinusoidal places, two blocks of attention, the mean over the text.

    Notes
    -----
    Vaswani et al. 2017, arXiv:1706.03762, with the norms before each sublayer (Xiong et al. 2020,
    arXiv:2002.04745, section 3), which trains without a warm-up. Attention, and the mean that
    pools, see the tokens of the text alone.
    """

    GROUPS: ClassVar[tuple[str, ...]] = (
        "embedding",
        *(f"block_{number}" for number in range(1, N_BLOCKS + 1)),
    )
    USES_ORDER: ClassVar[bool] = True
    TOKEN_DROPOUT: ClassVar[float] = 0.5
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.kernel_sizes", "model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        from tuner.models.layers import Block, TokenEmbedding

        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.blocks = [
            Block(number, shape.embedding_width, shape.width) for number in range(1, N_BLOCKS + 1)
        ]

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the units of the feed-forward layers: 256, four times the default embedding."""
        return 256

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], *(block.layers() for block in self.blocks))

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, embedding width) float32."""
        import tensorflow as tf

        from tuner.models.layers import sinusoids

        mask = tf.cast(token_ids != 0, tf.float32)
        if dropout is not None:
            mask = dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids)
        length, width = token_ids.shape[1], embedded.shape[2]
        # The root of the width, as in section 3.4, or the places would drown the tokens.
        values = embedded * math.sqrt(width) + sinusoids(length, width)
        if dropout is not None:
            values = dropout.hide_units(values, salt=1)
        for number, block in enumerate(self.blocks):
            values = block(values, mask, dropout, salt=10 * (number + 1))
        n_tokens = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
        features = tf.reduce_sum(values * mask[..., None], axis=1) / n_tokens
        return features if dropout is None else dropout.hide_units(features, salt=2)


Backbone = Transformer
