"""Train an encoder to guess hidden words, from the first step or from where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tuner.errors import ConfigError, Interrupted
from tuner.models.pretrained.architecture import Architecture
from tuner.records import StopRequested
from tuner.training.encoder.schedule import rate_factor
from tuner.training.masked_language.masking import MaskedBatch
from tuner.training.masked_language.program import MaskedLanguageProgram
from tuner.training.masked_language.sequences import Sequences, Turn

__all__ = ["Budget", "Evaluation", "Memory", "Pretrained", "pretrain"]

WARMUP = 0.06  # Liu et al. 2019, table 9 (24 000 of 500 000 steps)
EVALUATIONS = 20
_CALL_SECONDS = 2.0  # decision: a signal waits no longer
_SAVE_SECONDS = 60.0
_COLUMNS = ("step", "train_loss", "loss", "accuracy", "seconds")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train, and how.

    `steps` None takes as many as `epochs` have; `minutes` bounds the training of all processes
    together, and the learning rate then falls to 0 by whichever end comes first.
    """

    epochs: int
    steps: int | None
    minutes: float | None
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A look at the held-out texts: mean loss in nats and share of right guesses.

    `train_loss` is the mean since the one before (NaN at step 0), `seconds` those of training.
    """

    step: int
    train_loss: float
    loss: float
    accuracy: float
    seconds: float


class Memory(Protocol):
    """Where the state of an unfinished training is kept."""

    def load(self) -> Mapping[str, npt.NDArray[Any]] | None:
        """Give what was saved last; None at the beginning."""

    def save(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep a state, whole or not at all."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A trained encoder: weights by name, and how it came along."""

    weights: Mapping[str, npt.NDArray[np.float32]]
    evaluations: tuple[Evaluation, ...]


def pretrain(
    train: Sequences,
    held_out: Sequences,
    architecture: Architecture,
    budget: Budget,
    *,
    seeds: tuple[int, int, int],
    memory: Memory,
    watch: Callable[[Evaluation, int], None],
    stop_requested: StopRequested,
) -> Pretrained:
    """Train by masked language modelling with whole words.

    Parameters
    ----------
    train, held_out
        Sequences of one vocabulary; of the held-out ones always the same words are hidden, and
        each counts once.
    seeds
        Of weights, order and hidden words. The same seeds, threads and data give the same
        weights, stopped in between or not, unless `budget.minutes` bounds it.
    memory
        Keeps the state about once a minute and when a signal comes.
    watch
        Hears each evaluation, about 20, and how many steps there are in all; of a training that
        goes on first its last one.
    stop_requested
        Called between two calls of at most about two seconds; may raise.

    Raises
    ------
    ConfigError
        If the loss is no number any more.
    """
    run = _Run(train, held_out, architecture, budget, seeds, memory, watch)
    return run.to_end(stop_requested)


class _Run:
    def __init__(
        self,
        train: Sequences,
        held_out: Sequences,
        architecture: Architecture,
        budget: Budget,
        seeds: tuple[int, int, int],
        memory: Memory,
        watch: Callable[[Evaluation, int], None],
    ) -> None:
        weights_seed, self._order_seed, self._mask_seed = seeds
        self._train, self._budget, self._memory, self._watch = train, budget, memory, watch
        self._program = MaskedLanguageProgram(
            architecture, vocabulary_size=train.vocabulary_size, seed=weights_seed
        )
        self._held_out = self._masked_once(held_out)
        self._epoch, self._turns = 0, self._turns_of(0)
        n_per_epoch = sum(len(turn.rows) for turn in self._turns)
        self._n_per_epoch = n_per_epoch
        self._n_steps = budget.steps or budget.epochs * n_per_epoch
        self._every = max(1, self._n_steps // EVALUATIONS)
        self._step, self._seconds, self._losses = 0, 0.0, (0.0, 0)
        self._pace: dict[int, float] = {}  # seconds a step, by length
        self._evaluations: list[Evaluation] = []
        self._resume()

    def _masked_once(self, held_out: Sequences) -> list[MaskedBatch]:
        """Hide words of all held-out sequences; those that fill a batch up are not guessed."""
        batches = []
        seen: set[int] = set()
        turns = held_out.turns(
            batch_size=min(self._budget.batch_size, len(held_out)),
            generator=np.random.default_rng([self._order_seed, 1]),
        )
        for place, turn in enumerate(turns):
            for rows in turn.rows:
                generator = np.random.default_rng([self._mask_seed, 1, place])
                batch = held_out.masked(rows, turn.length, generator)
                is_new = np.zeros(len(rows), np.float32)
                for number, row in enumerate(rows.tolist()):
                    is_new[number] = row not in seen
                    seen.add(row)
                batches.append(
                    replace(batch, counts=batch.counts * is_new[batch.places // turn.length])
                )
        return batches

    def to_end(self, stop_requested: StopRequested) -> Pretrained:
        saved = time.monotonic()
        try:
            while True:
                if self._is_evaluation_due():
                    self._evaluate(stop_requested)
                if self._is_over():
                    break
                stop_requested()
                self._advance()
                if time.monotonic() - saved > _SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
        except Interrupted:
            self._save()
            raise
        self._save()
        return Pretrained(self._program.weights(), tuple(self._evaluations))

    def _is_over(self) -> bool:
        minutes = self._budget.minutes
        return self._step >= self._n_steps or (
            minutes is not None and self._seconds >= 60.0 * minutes
        )

    def _advance(self) -> None:
        """Take some steps in one call, as far as the turn, the next evaluation or time allow."""
        turn, done = self._place()
        until_evaluation = self._every - self._step % self._every
        left = min(len(turn.rows) - done, until_evaluation, self._n_steps - self._step)
        # The first call of a length compiles: it takes one step alone.
        n = max(1, min(left, int(_CALL_SECONDS / self._pace.get(turn.length, _CALL_SECONDS))))
        started = time.monotonic()
        batches = [
            self._train.masked(
                turn.rows[done + number],
                turn.length,
                np.random.default_rng([self._mask_seed, 0, self._step + number]),
            )
            for number in range(n)
        ]
        rates = [self._rate(self._step + number) for number in range(n)]
        loss = self._program.train(batches, rates)
        if not math.isfinite(loss):
            raise ConfigError(
                "--learning-rate must be low enough that the loss stays a number; at step "
                f"{self._step + n:,} it is {loss}, with {self._budget.learning_rate:g}."
            )
        seconds = time.monotonic() - started
        self._pace[turn.length] = seconds / n
        self._seconds += seconds
        self._step += n
        self._losses = (self._losses[0] + loss, self._losses[1] + n)

    def _is_evaluation_due(self) -> bool:
        done = self._evaluations[-1].step if self._evaluations else -1
        return done < self._step and (self._step % self._every == 0 or self._is_over())

    def _rate(self, step: int) -> float:
        done = step / self._n_steps
        if self._budget.minutes is not None:
            done = min(0.999, max(done, self._seconds / (60.0 * self._budget.minutes)))
        factor = rate_factor(done, step=1.0 / self._n_steps, warmup=WARMUP, schedule="linear")
        return self._budget.learning_rate * factor

    def _place(self) -> tuple[Turn, int]:
        """Give the turn that the next step belongs to, and how many of its steps are done."""
        epoch, done = divmod(self._step, self._n_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._turns = epoch, self._turns_of(epoch)
        for turn in self._turns:
            if done < len(turn.rows):
                return turn, done
            done -= len(turn.rows)
        raise AssertionError("the turns of an epoch have all its steps")

    def _turns_of(self, epoch: int) -> list[Turn]:
        return self._train.turns(
            batch_size=self._budget.batch_size,
            generator=np.random.default_rng([self._order_seed, 0, epoch]),
        )

    def _evaluate(self, stop_requested: StopRequested) -> None:
        found = []
        for batch in self._held_out:
            stop_requested()
            found.append(self._program.evaluate(batch))
        loss, right, n = np.sum(found, axis=0)
        total, steps = self._losses
        self._evaluations.append(
            Evaluation(
                step=self._step,
                train_loss=total / steps if steps else math.nan,
                loss=float(loss / n),
                accuracy=float(right / n),
                seconds=self._seconds,
            )
        )
        self._losses = (0.0, 0)
        self._watch(self._evaluations[-1], self._n_steps)

    # -- what outlives the process ------------------------------------------------------------

    def _save(self) -> None:
        history = [[getattr(each, name) for name in _COLUMNS] for each in self._evaluations]
        self._memory.save(
            {
                "run/step": np.array([self._step]),
                "run/numbers": np.array([self._seconds, *self._losses]),
                "run/history": np.array(history).reshape(-1, len(_COLUMNS)),
                **self._program.state(),
            }
        )

    def _resume(self) -> None:
        state = self._memory.load()
        if state is None:
            return
        self._program.load(state)
        self._step = int(state["run/step"][0])
        self._seconds, total, n = state["run/numbers"].tolist()
        self._losses = (total, int(n))
        self._evaluations = [
            Evaluation(int(step), *numbers) for step, *numbers in state["run/history"].tolist()
        ]
        if self._evaluations:
            self._watch(self._evaluations[-1], self._n_steps)
