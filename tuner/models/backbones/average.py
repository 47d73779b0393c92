"""The classic: embed, average, one dense layer (fastText and deep averaging networks)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tuner.config import ModelSettings
from tuner.models.shape import ModelShape

if TYPE_CHECKING:
    from tuner.models.layers import Dropout

__all__ = ["Average", "Backbone"]


class Average:
    """Mean of the token embeddings, then a dense layer with ReLU.

    Notes
    -----
    Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification"; Iyyer et al. 2015.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("embedding", "dense")
    USES_ORDER: ClassVar[bool] = False
    TOKEN_DROPOUT: ClassVar[float] = 0.5
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model.kernel_sizes"})

    def __init__(self, shape: ModelShape) -> None:
        import keras
        import tensorflow as tf

        from tuner.models.layers import TokenEmbedding

        self.embedding = TokenEmbedding(shape.vocabulary_size, shape.embedding_width)
        self.dense = keras.layers.Dense(shape.width, activation="relu", name="dense")
        # A number at run time, so that searching it compiles nothing.
        self._pooling_power = tf.Variable(0.0, trainable=False, name="pooling_power")

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the units of the hidden layer: 32, or 128 for more than 32 classes.

        A layer narrower than the classes it has to tell apart is a bottleneck.
        """
        return 32 if n_classes <= 32 else 128

    def configure(self, settings: ModelSettings) -> None:
        """Take over the numbers that a trial may change without a new program."""
        self._pooling_power.assign(settings.pooling_power)

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.embedding], [self.dense])

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to features (batch, width) float32."""
        import tensorflow as tf

        mask = tf.cast(token_ids != 0, tf.float32)
        if dropout is not None:
            mask = dropout.hide_tokens(mask)
        embedded = self.embedding(token_ids)
        n_tokens = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
        mean = tf.reduce_sum(embedded * mask[..., None], axis=1) / n_tokens
        # Power 0 is the mean; 0.5 the sum over the root of n, where long texts speak louder.
        mean *= tf.pow(n_tokens, self._pooling_power)
        if dropout is not None:
            mean = dropout.hide_units(mean, salt=1)
        features = self.dense(mean)
        return features if dropout is None else dropout.hide_units(features, salt=2)


Backbone = Average
