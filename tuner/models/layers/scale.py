"""A factor that is learnt."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["Scale"]


class Scale(keras.layers.Layer):
    """One learnt factor, 1 at the start."""

    def __init__(self) -> None:
        super().__init__(name="scale")
        self.factor_initializer = keras.initializers.Ones()

    def build(self, _: Any) -> None:
        """Create the factor, (1,)."""
        self.factor = self.add_weight(
            shape=(1,), initializer=self.factor_initializer, name="factor"
        )

    def call(self, scores: Any) -> Any:
        """Map scores of any shape to scores of that shape."""
        return scores * self.factor
