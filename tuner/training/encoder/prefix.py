"""The frozen prefix: activations below the cut, computed once and shared by all trials."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tuner.config import digest
from tuner.models.pretrained.network import POOLINGS, Pooling
from tuner.records import StopRequested
from tuner.training.encoder.passes import Passes
from tuner.training.encoder.texts import EncoderTexts, RowBatch
from tuner.wording import size_words

__all__ = ["ActivationCache", "FrozenPrefix"]

_log = logging.getLogger(__name__)

STAGE = "prefix"
_VERSION = 2  # raised when the same checkpoint and texts give other activations, or might
_FLOAT16_BYTES = 2


class ActivationCache(Protocol):
    """Where activations are kept; see `tuner.persist.Cache`."""

    def obtain(
        self,
        stage: str,
        key: str,
        make: Callable[[Any], None],
        *,
        stop_requested: StopRequested,
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Open an entry, made first where there is none."""

    def open(self, stage: str, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """Open an entry; None where there is none."""

    @property
    def limit_bytes(self) -> int | None:
        """Size the cache may have; None for no limit."""


@cache
def _tell_of_limit(n_bytes: int, limit: int) -> None:
    """Warn, once a process: every trial meets the same limit."""
    _log.warning(
        "the frozen prefix is computed anew for every batch: its %s a depth are more than the "
        "cache may hold (%s); `tuner cache limit` raises that",
        size_words(n_bytes),
        size_words(limit),
    )


class FrozenPrefix:
    """Activations of some texts behind the lowest groups of an untouched checkpoint.

    Every group's output is rounded to float16, cached or not, so the numbers are the same
    whatever was cached before. A deeper entry starts from the deepest one there is below it.

    Parameters
    ----------
    texts
        The texts; activations exist for all of them.
    passes
        The encoder, whose groups below the cut hold the checkpoint's weights when asked.
    cache
        None to compute anew for every batch.
    """

    def __init__(self, texts: EncoderTexts, passes: Passes, cache: ActivationCache | None) -> None:
        self.texts = texts
        self._passes = passes
        self._cache = cache
        self._opened: dict[int, npt.NDArray[np.float16]] = {}
        self._pooled: dict[str, npt.NDArray[np.float32]] = {}

    def batch(self, depth: int, batch: RowBatch) -> npt.NDArray[Any]:
        """Give what goes into group `depth`, (batch, length, width) float16.

        For depth 0 there is nothing below: the pieces as positions in the texts' vocabulary,
        (batch, length) int32.
        """
        if depth == 0:
            return self.texts.padded(self.texts.compact, batch.rows, batch.length)
        flat = self._opened.get(depth)
        if flat is None:
            return self._advance(batch, 0, depth)
        return self.texts.padded(flat, batch.rows, batch.length)

    def prepare(self, depth: int, *, stop_requested: StopRequested) -> None:
        """Have the activations behind the lowest `depth` groups at hand, if a cache can hold them.

        Raises
        ------
        RuntimeError
            If they have to be computed and a group below `depth` differs from the checkpoint.
        """
        if depth == 0 or self._cache is None or depth in self._opened:
            return
        n_bytes = len(self.texts.pieces.flat) * self._width * _FLOAT16_BYTES
        limit = self._cache.limit_bytes
        if limit is not None and n_bytes > limit:
            _tell_of_limit(n_bytes, limit)
            self._cache = None
            return
        entry = self._cache.obtain(
            STAGE,
            self._key(depth),
            lambda writer: self._write(writer, depth, stop_requested),
            stop_requested=stop_requested,
        )
        self._opened[depth] = entry["activations"]

    def pooled(
        self, pooling: Pooling, *, stop_requested: StopRequested
    ) -> npt.NDArray[np.float32]:
        """Give the pooled features of all texts behind the whole encoder, (n, width).

        A cache keeps those of all poolings, so that a study that searches them runs the encoder
        once.
        """
        if pooling not in self._pooled:
            if self._cache is None:
                self._pooled |= self._pool((pooling,), stop_requested)
            else:
                entry = self._cache.obtain(
                    STAGE,
                    self._key("pooled"),
                    lambda writer: self._write_pooled(writer, stop_requested),
                    stop_requested=stop_requested,
                )
                self._pooled[pooling] = np.array(entry[pooling])
        return self._pooled[pooling]

    @property
    def _width(self) -> int:
        return self.texts.checkpoint.architecture.width

    def _key(self, what: int | str) -> str:
        return digest([_VERSION, self.texts.key, what])

    def _nearest_below(self, depth: int) -> int:
        """Give the deepest depth below this one whose activations are there; 0 for none."""
        if self._cache is not None:
            for lower in range(depth - 1, 0, -1):
                if lower not in self._opened:
                    entry = self._cache.open(STAGE, self._key(lower))
                    if entry is None:
                        continue
                    self._opened[lower] = entry["activations"]
                return lower
        return 0

    def _write(self, writer: Any, depth: int, stop_requested: StopRequested) -> None:
        self._require_untouched(depth)
        lower = self._nearest_below(depth)
        groups = f"group {depth}" if depth == lower + 1 else f"groups {lower + 1} to {depth}"
        _log.info(
            "computing the frozen prefix once: %d texts, %s of the encoder",
            len(self.texts.pieces.lengths),
            groups,
        )
        flat = writer.create("activations", (len(self.texts.pieces.flat), self._width), "<f2")
        starts, lengths = self.texts.starts, self.texts.pieces.lengths
        for batch in self.texts.prediction_batches(np.arange(len(lengths))):
            stop_requested()
            values = self._advance(batch, lower, depth)
            for place, row in enumerate(batch.rows[: batch.n]):
                flat[starts[row] : starts[row] + lengths[row]] = values[place, : lengths[row]]

    def _write_pooled(self, writer: Any, stop_requested: StopRequested) -> None:
        for pooling, features in self._pool(POOLINGS, stop_requested).items():
            writer.put(pooling, features)

    def _pool(
        self, poolings: Sequence[Pooling], stop_requested: StopRequested
    ) -> dict[str, npt.NDArray[np.float32]]:
        n_groups = len(self.texts.checkpoint.architecture.group_names)
        self._require_untouched(n_groups)
        lower = n_groups if n_groups in self._opened else self._nearest_below(n_groups)
        n_texts = len(self.texts.pieces.lengths)
        features: dict[str, npt.NDArray[np.float32]] = {
            pooling: np.zeros((n_texts, self._width), np.float32) for pooling in poolings
        }
        for batch in self.texts.prediction_batches(np.arange(n_texts)):
            stop_requested()
            values = self._advance(batch, lower, n_groups)
            for pooling in poolings:
                pooled = self._passes.pool(values, self.texts.lengths(batch.rows), pooling)
                features[pooling][batch.rows[: batch.n]] = pooled[: batch.n]
        return features

    def _require_untouched(self, depth: int) -> None:
        """Never keep trained weights' activations under the checkpoint's key."""
        if self._passes.n_untouched < depth:
            raise RuntimeError(
                f"the prefix of {depth} groups was asked for, of which only the lowest "
                f"{self._passes.n_untouched} hold the checkpoint's weights"
            )

    def _advance(self, batch: RowBatch, start: int, stop: int) -> npt.NDArray[np.float16]:
        return self._passes.frozen(
            self.batch(start, batch), self.texts.lengths(batch.rows), start, stop
        )
