"""An epoch of a trial: batches made ahead, trained on in calls of about a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.config import Settings
from tuner.errors import TrialFailed
from tuner.records import StopRequested, TrialSeeds
from tuner.sizes import few_sizes_up
from tuner.training.augment import ReplacementTables, augment
from tuner.training.batches import Batches, ahead, make_batches
from tuner.training.buckets import EpochPlan, plan_epoch
from tuner.training.calls import batches_per_call
from tuner.training.data import FitData
from tuner.training.program import Program

__all__ = ["Epochs"]

_AUGMENTATION = 1  # what the seed of a piece is for, beside its order


class Epochs:
    """The epochs of one trial, each with an order, a dropout and an augmentation of its own.

    Parameters
    ----------
    program
        Trained in place.
    settings, data, seeds
        Of the trial.
    stop_requested
        Called between compiled calls; may raise to stop.
    replacements
        What tokens of train may be replaced by; None where nothing is augmented.
    """

    def __init__(
        self,
        program: Program,
        settings: Settings,
        data: FitData,
        seeds: TrialSeeds,
        stop_requested: StopRequested,
        replacements: ReplacementTables | None,
    ) -> None:
        self._program = program
        self._settings = settings
        self._data = data
        self._seeds = seeds
        self._stop_requested = stop_requested
        self._replacements = replacements

    def train(
        self,
        epoch: int,
        *,
        frozen_depth: int,
        hyperparameters: tuple[Any, Any, Any],
        share_done: tuple[float, float],
    ) -> float:
        """Train one epoch and give the mean loss of its steps.

        Parameters
        ----------
        epoch
            Counted from 1 over both phases.
        frozen_depth
            Layer groups that stay as they are.
        hyperparameters
            `Hyperparameters.tensors()`.
        share_done
            The phase's share before this epoch, and that of an epoch.

        Raises
        ------
        TrialFailed
            If the loss is not finite.
        """
        sequence = np.random.SeedSequence(self._seeds.order, spawn_key=(epoch,))
        training = self._settings.training
        sizes = [int(bucket.labels.shape[0]) for bucket in self._data.train]
        plan = plan_epoch(
            sizes,
            batch_size=training.batch_size,
            generator=np.random.default_rng(sequence),
            steps_min=training.steps_per_epoch_min,
            room=_room(self._settings),
        )
        total, n_steps = 0.0, 0
        rates, *others = hyperparameters
        n_all = sum(len(order) for order in plan.orders)
        for turn, (piece, batches) in enumerate(
            zip(plan.pieces, ahead(self._batches(epoch, plan, frozen_depth)), strict=True)
        ):
            # The rate falls from piece to piece, whatever the calls they are cut into.
            done = share_done[0] + share_done[1] * n_steps / n_all
            factor = 1.0 - done if training.schedule == "linear" else 1.0
            length = piece.stop - piece.start
            shape = (*batches.token_ids.shape[1:], frozen_depth)
            start = 0
            while start < length:
                self._stop_requested()
                stop = min(length, start + self._steps_per_call(shape))
                began = time.perf_counter()
                traces = self._program.compiling.n_traces
                total += self._program.train(
                    batches,
                    start=start,
                    stop=stop,
                    frozen_depth=frozen_depth,
                    hyperparameters=(rates * np.float32(factor), *others),
                    dropout_seed=(self._seeds.dropout + 7_919 * epoch + turn) % 2**31,
                    is_last=n_steps + stop == n_all,
                )
                if traces == self._program.compiling.n_traces:  # a call that compiled says nothing
                    spent = (time.perf_counter() - began) / (stop - start)
                    self._program.seconds_per_step[shape] = spent
                start = stop
            n_steps += length
            if not math.isfinite(total):
                raise TrialFailed(f"diverged: the loss is {total} in epoch {epoch}")
        return total / max(1, n_steps)

    def _batches(
        self, epoch: int, plan: EpochPlan, frozen_depth: int
    ) -> Iterator[Callable[[], Batches]]:
        """Give for each piece of the plan the call that makes its batches."""
        layout, room = self._data.layout, _room(self._settings)
        for turn, piece in enumerate(plan.pieces):
            steps = slice(piece.start, piece.stop)
            yield partial(
                make_batches,
                self._data.train[piece.bucket],
                plan.orders[piece.bucket][steps],
                plan.row_weights[piece.bucket][steps],
                vocabulary_size=layout.vocabulary_size,
                rows_max=layout.rows_max(piece.bucket, room)
                if self._program.touches_rows(frozen_depth)
                else None,
                change=self._change(epoch, turn),
            )

    def _change(
        self, epoch: int, turn: int
    ) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None:
        """Give what changes the texts of one piece of an epoch; None without augmentation."""
        if self._replacements is None:
            return None
        sequence = np.random.SeedSequence(
            self._seeds.order, spawn_key=(epoch, turn, _AUGMENTATION)
        )
        return partial(
            augment,
            settings=self._settings.augmentation,
            tables=self._replacements,
            generator=np.random.default_rng(sequence),
        )

    def _steps_per_call(self, shape: tuple[int, ...]) -> int:
        return batches_per_call(self._program.seconds_per_step.get(shape), unmeasured=2)


def _room(settings: Settings) -> int:
    """Give the rows that a batch is filled up to: one of few where a range of sizes is searched.

    The rows to spare weigh nothing, so the result is that of the batch size, to rounding.
    """
    batch_size = settings.training.batch_size
    searched = settings.space.get("training.batch_size")
    if searched is None or searched.choices is not None or searched.high is None:
        return batch_size
    return max(batch_size, min(few_sizes_up(batch_size), int(searched.high)))
