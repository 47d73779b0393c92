"""What a plain Keras loop keeps: the weights of its best epoch by validation macro-F1."""

from __future__ import annotations

import time
from typing import Any

import keras
from sklearn.metrics import f1_score


def macro_f1(model: Any, x: Any, y: Any) -> float:
    predicted = model.predict(x, batch_size=256, verbose=0).argmax(axis=1)
    return float(f1_score(y, predicted, average="macro"))


class BestWeights(keras.callbacks.Callback):
    def __init__(self, model: Any, x: Any, y: Any) -> None:
        super().__init__()
        self._network, self._x, self._y = model, x, y
        self.value, self.weights = -1.0, model.get_weights()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._started)
        value = macro_f1(self._network, self._x, self._y)
        if value > self.value:
            self.value, self.weights = value, self._network.get_weights()
