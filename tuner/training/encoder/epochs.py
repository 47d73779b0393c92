"""An epoch of a trial on an encoder: of the probe, or of fine-tuning in passes below a second."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.records import StopRequested, TrialSeeds
from tuner.training.buckets import plan_epoch
from tuner.training.encoder.data import EncoderData
from tuner.training.encoder.prefix import FrozenPrefix
from tuner.training.encoder.program import EncoderProgram
from tuner.training.encoder.schedule import rate_factor
from tuner.training.encoder.step import MicroBatch, StepNumbers
from tuner.training.encoder.texts import RowBatch, batches_of_like_length

__all__ = ["EncoderEpochs"]

_PIECES_PER_PASS = 1_024  # keeps a pass with its gradients near a second, so a signal is heard


class EncoderEpochs:
    """The epochs of one trial, each with an order and a dropout of its own.

    Parameters
    ----------
    program
        Trained in place.
    prefix
        Of the trial's texts.
    settings, data, seeds
        Of the trial.
    stop_requested
        Called between passes; may raise to stop.
    """

    def __init__(
        self,
        program: EncoderProgram,
        prefix: FrozenPrefix,
        settings: Settings,
        data: EncoderData,
        seeds: TrialSeeds,
        stop_requested: StopRequested,
    ) -> None:
        self._program = program
        self._prefix = prefix
        self._settings = settings
        self._data = data
        self._seeds = seeds
        self._stop_requested = stop_requested

    def probe(self, epoch: int, inputs: tuple[Any, Any], numbers: StepNumbers) -> float:
        """Train the head alone for an epoch of phase one, and give the mean loss of its steps.

        `inputs` are the pooled features of train (n, width) and its class numbers (n,), tensors.
        """
        training = self._settings.training
        done = (epoch - 1) / training.epochs
        n = len(self._data.train.rows)
        plan = plan_epoch(
            [n],
            batch_size=training.batch_size,
            generator=self._order(epoch),
            steps_min=training.steps_per_epoch_min,
        )
        self._stop_requested()
        total = self._program.probe.train(
            *inputs,
            plan.orders[0],
            plan.row_weights[0],
            numbers=numbers,
            factor=1.0 - done if training.schedule == "linear" else 1.0,
            seed=self._dropout_seed(epoch),
        )
        return total / len(plan.orders[0])

    def fine_tune(self, turn: int, cut: int, numbers: StepNumbers) -> float:
        """Train from the cut up for an epoch, and give the mean loss of its steps.

        `turn` counts the epochs of phase two from 1.

        Raises
        ------
        TrialFailed
            If the loss is not finite.
        """
        training = self._settings.training
        rows, labels = self._data.train.rows, self._data.train.labels
        batches = batches_of_like_length(
            self._data.texts.lengths(rows),
            batch_size=training.encoder_batch_size,
            generator=self._order(training.epochs + turn),
        )
        total = 0.0
        for number, places in enumerate(batches):
            done = (turn - 1 + number / len(batches)) / training.fine_tune_epochs
            total += self._program.step(
                self._parts(rows[places], labels[places], cut),
                cut=cut,
                numbers=numbers,
                factor=rate_factor(
                    done,
                    step=1.0 / len(batches) / training.fine_tune_epochs,
                    warmup=training.warmup,
                    schedule=training.encoder_schedule,
                ),
                seed=self._dropout_seed(training.epochs + turn) + number,
                stop_requested=self._stop_requested,
            )
            if not math.isfinite(total):
                raise TrialFailed(f"diverged: the loss is {total} in fine-tuning epoch {turn}")
        return total / len(batches)

    def _parts(
        self, rows: npt.NDArray[np.intp], labels: npt.NDArray[np.int32], cut: int
    ) -> list[MicroBatch]:
        """Cut a batch into passes that fit into memory and into a second."""
        lengths = self._data.texts.lengths(rows)
        padded = self._data.texts.padded_lengths(rows)
        size = self._settings.training.encoder_micro_batch_size or max(
            1, _PIECES_PER_PASS // int(padded.max())
        )
        parts = []
        for start in range(0, len(rows), size):
            found = rows[start : start + size]
            length = int(padded[start : start + size].max())
            values = (
                self._prefix.pooled(
                    self._settings.model.pooling, stop_requested=self._stop_requested
                )[found]
                if cut == self._program.n_groups
                else self._prefix.batch(cut, RowBatch(found, len(found), length))
            )
            parts.append(
                MicroBatch(values, lengths[start : start + size], labels[start : start + size])
            )
        return parts

    def _order(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seeds.order, spawn_key=(epoch,)))

    def _dropout_seed(self, epoch: int) -> int:
        return (self._seeds.dropout + 7_919 * epoch) % 2**30
