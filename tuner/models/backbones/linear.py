"""A linear model of word pairs, the rival that small tables are won by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tuner.config import ModelSettings
from tuner.models.shape import ModelShape

if TYPE_CHECKING:
    from tuner.models.layers import Dropout

__all__ = ["Backbone", "Linear"]


class Linear:
    """Sum of the tokens' scores per class, weighed by TF-IDF at unit length.

    The table learns by plain gradient descent, and the head on it starts as the identity: together
    a multinomial logistic regression. One number scales all scores, so that fine-tuning can keep
    what is known of the tokens and mend how sure the model is. `[UNK]` weighs nothing.

    Notes
    -----
    Joachims 1998, "Text Categorization with Support Vector Machines"; Wang and Manning 2012,
    "Baselines and Bigrams", on why such a model is hard to beat on short texts.
    """

    GROUPS: ClassVar[tuple[str, ...]] = ("scores", "scale")
    USES_ORDER: ClassVar[bool] = False
    TOKEN_DROPOUT: ClassVar[float] = 0.5
    HEAD_INITIALIZER: ClassVar[str] = "identity"
    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {
            "model.embedding_width",
            "model.width",
            "model.kernel_sizes",
            "model.dropout",
            "model.pooling_power",
            "model.vectors",
            "model.freeze_vectors",
            "training.embedding_updates",
        }
    )

    def __init__(self, shape: ModelShape) -> None:
        from tuner.models.layers import Scale, TokenScores

        self.scores = TokenScores(shape.vocabulary_size, shape.n_classes)
        self.scale = Scale()

    @staticmethod
    def default_width(n_classes: int) -> int:
        """Give the scores of a token: one per class."""
        return n_classes

    def configure(self, settings: ModelSettings) -> None:
        """Take over the numbers that a trial may change without a new program."""

    def groups(self) -> tuple[list[Any], ...]:
        """Give the layers of each group, from the input up."""
        return ([self.scores], [self.scale])

    def __call__(self, token_ids: Any, dropout: Dropout | None = None) -> Any:
        """Map ids (batch, length) int32 to scores (batch, n_classes) float32."""
        import tensorflow as tf

        mask = tf.cast(token_ids != 0, tf.float32)
        if dropout is not None:
            mask = dropout.hide_tokens(mask)
        scores, weights = self.scores(token_ids)
        weights *= mask
        length = tf.norm(weights, axis=1, keepdims=True)
        unit = tf.math.divide_no_nan(weights, length)
        return self.scale(tf.reduce_sum(scores * unit[..., None], axis=1))


Backbone = Linear
