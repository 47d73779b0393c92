"""Do K trials that train in one compiled program finish sooner than one after the other?

    python benchmarks/fused_trials.py --backbone average --rows 20000 --output runs/bench

Networks, optimizer and batches are the product's; each of the K trials has its own weights, order
and seed. *Loops* puts their training loops side by side into one program, whose compiler knows
that they are independent; *steps* is one loop that takes a step of each in every turn. *Two
processes* with one thread each are what `--workers 2` does. Texts are drawn: 64 tokens each by
Zipf's law. Contestants take turns; a figure above 1 is a gain in trials an hour over training
them one by one with all threads. The gain in processor time says the same on a busy machine, but
for the idle cores that fusing may fill. Making the batches is not part of it: that is the same for
all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from side_by_side import Lines, machine, median

from tuner.config import load_settings
from tuner.models import model_shape
from tuner.training.batches import Batches, TrainBucket, make_batches, touched_rows_max
from tuner.training.buckets import PIECE
from tuner.training.program import Program
from tuner.training.steps import Hyperparameters

VOCABULARY, LENGTH, BATCH, CLASSES = 20_000, 64, 64, 2
PIECES = 4  # of the epoch, in a measurement
ONE_BY_ONE, TWO = "one by one", "two processes"


def numbers(n_groups: int) -> tuple[Any, Any, Any]:
    return Hyperparameters(
        rates=(0.003,) * n_groups, l1=1e-6, l2=1e-6, dropout=0.3, token_dropout=0.3,
        label_smoothing=0.0, focal_gamma=0.0, momentum=1.0,
        class_weights=np.ones(CLASSES, np.float32),
    ).tensors()  # fmt: skip


def pieces_of(rows: int, seed: int) -> list[Batches]:
    """Draw texts, and give some pieces of one trial's epoch."""
    generator = np.random.default_rng(0)
    ids = np.minimum(generator.zipf(1.3, (rows, LENGTH)) + 1, VOCABULARY - 1).astype(np.uint16)
    bucket = TrainBucket(ids, generator.integers(0, CLASSES, rows).astype(np.int32))
    most = touched_rows_max(bucket, BATCH, vocabulary_size=VOCABULARY)
    order = np.random.default_rng(seed).integers(0, rows, (PIECES, PIECE, BATCH))
    weights = np.ones((PIECE, BATCH), np.float32)
    return [
        make_batches(bucket, chosen, weights, vocabulary_size=VOCABULARY, rows_max=most)
        for chosen in order
    ]


class Trials:
    """K trials of one shape, with the three ways to train a piece of each."""

    def __init__(self, k: int, *, backbone: str, rows: int) -> None:
        settings = load_settings(overrides=[("model.backbone", backbone)])
        shape = model_shape(settings.model, vocabulary_size=VOCABULARY, n_classes=CLASSES)
        self.programs = [Program(shape) for _ in range(k)]
        for number, program in enumerate(self.programs):
            program.classifier.reset(number)
        self.numbers = numbers(len(self.programs[0].classifier.group_names))
        self.pieces = [pieces_of(rows, number) for number in range(k)]
        steps = [
            program.steps.compiled(pieces[0], 0).python_function
            for program, pieces in zip(self.programs, self.pieces, strict=True)
        ]

        def loops(arguments: Any) -> Any:
            return [
                step(*batches, tf.constant([0, PIECE, number, 1]), *self.numbers)
                for number, (step, batches) in enumerate(zip(steps, arguments, strict=True))
            ]

        def turns(arguments: Any) -> Any:
            def turn(at: Any) -> tuple[Any]:
                is_last = tf.cast(at == PIECE - 1, tf.int32)
                for number, (step, batches) in enumerate(zip(steps, arguments, strict=True)):
                    step(*batches, tf.stack([at, at + 1, number, is_last]), *self.numbers)
                return (at + 1,)

            return tf.while_loop(lambda at: at < PIECE, turn, (tf.constant(0),))

        self._fused = {
            "loops": tf.function(loops, jit_compile=True, autograph=False),
            "steps": tf.function(turns, jit_compile=True, autograph=False),
        }

    def one_by_one(self) -> None:
        for program, pieces in zip(self.programs, self.pieces, strict=True):
            for piece in pieces:
                program.train(
                    piece, start=0, stop=PIECE, frozen_depth=0, hyperparameters=self.numbers,
                    dropout_seed=1,
                )  # fmt: skip

    def fused(self, way: str) -> None:
        for together in zip(*self.pieces, strict=True):
            batches = [(b.token_ids, b.labels, b.row_weights, b.rows) for b in together]
            found = self._fused[way](batches)
            found[0].numpy()


def measured(run: Callable[[], None], n: int) -> tuple[float, float]:
    """Give seconds, and seconds of this process's processor time, a trial."""
    started, used = time.perf_counter(), time.process_time()
    run()
    return (time.perf_counter() - started) / n, (time.process_time() - used) / n


def _work(connection: Any, backbone: str, rows: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    trials = Trials(1, backbone=backbone, rows=rows)
    trials.one_by_one()
    connection.send("ready")
    with suppress(EOFError):  # the measurement is over
        while connection.recv():
            trials.one_by_one()
            connection.send("done")


class TwoProcesses:
    """Two processes of one thread, each with a trial of its own."""

    def __init__(self, backbone: str, rows: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends = []
        for _ in range(2):
            here, there = context.Pipe()
            context.Process(target=_work, args=(there, backbone, rows), daemon=True).start()
            self._ends.append(here)
        for end in self._ends:
            end.recv()

    def run(self) -> None:
        for end in self._ends:
            end.send(True)
        for end in self._ends:
            end.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=("average", "textcnn"), default="average")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--fused", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    lines = Lines(arguments.output / "fused.jsonl")
    two = TwoProcesses(arguments.backbone, arguments.rows)
    for k in arguments.fused:
        case = {"backbone": arguments.backbone, "rows": arguments.rows, "fused": k,
                "rounds": arguments.rounds}  # fmt: skip
        if lines.having(**case):
            continue
        trials = Trials(k, backbone=arguments.backbone, rows=arguments.rows)
        ways: dict[str, Callable[[], tuple[float, float]]] = {
            ONE_BY_ONE: lambda trials=trials, k=k: measured(trials.one_by_one, k),
            **{way: lambda trials=trials, k=k, way=way: measured(lambda: trials.fused(way), k)
               for way in ("loops", "steps")},
            TWO: lambda: measured(two.run, 2),
        }  # fmt: skip
        rounds = [{name: run() for name, run in ways.items()} for _ in range(arguments.rounds + 1)]
        rounds = rounds[1:]  # the first one compiles
        lines.add(
            {**case,
             "one_by_one_seconds": median(row[ONE_BY_ONE][0] for row in rounds),
             "gain": {name: median(row[ONE_BY_ONE][0] / row[name][0] for row in rounds)
                      for name in ways if name != ONE_BY_ONE},
             "gain_in_processor_time": {
                 name: median(row[ONE_BY_ONE][1] / row[name][1] for row in rounds)
                 for name in ("loops", "steps")},
             "machine": machine()}
        )  # fmt: skip


if __name__ == "__main__":
    main()
