"""A bidirectional gated recurrent unit with max pooling over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tuner.config import ModelSettings
from tuner.models.shape import ModelShape

if TYPE_CHECKING:
    from tuner.models.layers import Dropout

__all__ = ["Backbone", "BiGRU"]


class BiGRU:
    """Embedding, a bidirectional GRU, and the maximum of each unit over the text.

    Notes
    -----
    Conneau et al. 2017, arXiv:1705.02364, section 3.2.2, found max pooling better than the last
    state for sentences.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "gru")
    USES_ORDER: ClassVar[bool] = True
    TOKEN_DROPOUT: ClassVar[float] = 0.3
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.kernel_sizes", "model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        from tuner.models.layers import BidirectionalGRU, TokenEmbedding

        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.gru = BidirectionalGRU(shape.width)

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the units of each direction: 64, so that the head sees 128 features."""
        return 64

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], [self.gru])

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, 2 * width) float32."""
        import tensorflow as tf

        mask = tf.cast(token_ids != 0, tf.float32)
        visible = mask if dropout is None else dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids)
        if dropout is not None:
            embedded = dropout.hide_units(embedded, salt=1)
        # A hidden token is skipped, as padding is. States lie in (-1, 1): what is set to -1 never
        # wins the maximum.
        states = self.gru(embedded, visible)
        features = tf.reduce_max(tf.where(visible[..., None] > 0, states, -1.0), axis=1)
        return features if dropout is None else dropout.hide_units(features, salt=2)


Backbone = BiGRU
