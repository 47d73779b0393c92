"""Convolutions over time with max pooling (Kim 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tuner.config import ModelSettings
from tuner.models.shape import ModelShape

if TYPE_CHECKING:
    from tuner.models.layers import Dropout

__all__ = ["Backbone", "TextCNN"]


class TextCNN:
    """Parallel convolutions of several widths, ReLU, maximum over time.

    Notes
    -----
    Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2. "same"
    padding, so that a text shorter than the widest kernel has features too.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "convolution")
    USES_ORDER: ClassVar[bool] = True
    TOKEN_DROPOUT: ClassVar[float] = 0.3
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.pooling_power"})

    def __init__(self, shape: ModelShape) -> None:
        from tuner.models.layers import Convolution, TokenEmbedding

        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        sizes = shape.kernel_sizes
        self.convolutions = [
            Convolution(size, shape.width, number=sizes[:place].count(size) + 1)
            for place, size in enumerate(sizes)
        ]

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the filters per kernel size, Kim's 100."""
        return 100

    def configure(self, settings: ModelSettings) -> None:
        """Do nothing: no number of this network may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], list(self.convolutions))

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, width * kernel sizes) float32."""
        import tensorflow as tf

        mask = tf.cast(token_ids != 0, tf.float32)
        visible = mask if dropout is None else dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids) * visible[..., None]
        pooled = [convolution(embedded, mask) for convolution in self.convolutions]
        features = tf.concat(pooled, axis=-1)
        return features if dropout is None else dropout.hide_units(features, salt=1)


Backbone = TextCNN
