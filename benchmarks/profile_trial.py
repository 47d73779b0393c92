"""Where a trial's second goes, beside what the machine could do at best.

    python benchmarks/profile_trial.py --backbone average --output runs/bench

The stages are the trial's own; the bound is counted, not measured: the bytes of the embedding rows
that an epoch must read and write (a weight and its two moments), at the speed at which this
machine copies memory with the trial's threads, and the multiplications of the dense layers and
convolutions that the network does, at the speed of its own matrix product. What is above the
bound is the price of rows scattered over memory, of calls, of padding.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from side_by_side import QUIET, Bench, Lines, machine, median, open_bench

from tuner.cores import threads
from tuner.models import backbone_class
from tuner.records import TrialSeeds
from tuner.training.batches import make_batches
from tuner.training.buckets import PIECE, plan_epoch

ROUNDS = 3


def bytes_per_second() -> float:
    """Copy with as many threads as a trial computes with, each a part of its own."""
    n = threads()
    source = np.ones((n, 16_000_000), np.float32)
    target = np.empty_like(source)
    seconds = []
    with ThreadPoolExecutor(n) as pool:
        for _ in range(6):  # the first one touches the pages
            started = time.perf_counter()
            list(pool.map(np.copyto, target, source))
            seconds.append(time.perf_counter() - started)
    return 2 * source.nbytes / min(seconds)


def flops_per_second() -> float:
    left = tf.random.normal((2048, 512))
    right = tf.random.normal((512, 512))
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        tf.matmul(left, right).numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * 2048 * 512 * 512 / min(seconds)


def work_of_an_epoch(bench: Bench) -> dict[str, float]:
    """Count rows touched, places padded and filled, and operations of one epoch."""
    settings, data = bench.settings, bench.prepared.data
    batch, model = settings.training.batch_size, settings.model
    rows = places = tokens = 0
    for bucket in data.train:
        plan = plan_epoch(
            [len(bucket.labels)], batch_size=batch, generator=np.random.default_rng(0)
        )
        for start in range(0, len(plan.orders[0]), PIECE):
            steps = slice(start, start + PIECE)
            made = make_batches(
                bucket, plan.orders[0][steps], plan.row_weights[0][steps],
                vocabulary_size=data.layout.vocabulary_size, rows_max=1,
            )  # fmt: skip
            rows += int(np.count_nonzero(made.rows))
        places += bucket.token_ids.size
        tokens += int(np.count_nonzero(bucket.token_ids))
    width = model.width or backbone_class(model.backbone).default_width(len(data.classes))
    texts, filters = len(data.train_labels), model.embedding_width * width
    if model.backbone == "average":
        # Forward, and backward for the input and for the weights.
        flops = 6.0 * texts * filters
    else:
        # Forward at every place; backward for both at the one place of a text where a filter's
        # maximum was.
        flops = (2.0 * places + 4.0 * texts) * filters * sum(model.kernel_sizes)
    return {"rows": rows, "places": places, "tokens": tokens, "flops": flops}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=("average", "textcnn"), default="average")
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    lines = Lines(arguments.output / "profile.jsonl")
    if lines.having(backbone=arguments.backbone):
        return
    bench = open_bench(
        "quickstart", arguments.output, [*QUIET.items(), ("model.backbone", arguments.backbone)]
    )
    found: list[dict[str, Any]] = []
    for turn in range(ROUNDS + 1):
        started = time.perf_counter()
        outcome = bench.pipeline.run_trial(
            bench.settings, seeds=TrialSeeds(1, 2, 3), report=lambda **_: None,
            stop_requested=lambda: None,
        )  # fmt: skip
        if turn:
            found.append({**outcome.seconds, "whole": time.perf_counter() - started})
    work = work_of_an_epoch(bench)
    width = bench.settings.model.embedding_width
    moved = work["rows"] * width * 4 * 3 * 2
    epoch = median(row["train"] for row in found) / bench.settings.training.epochs
    bound = moved / bytes_per_second() + work["flops"] / flops_per_second()
    lines.add(
        {"backbone": arguments.backbone,
         "stages": {name: median(row[name] for row in found) for name in found[0]},
         "epoch": work | {"bytes": moved, "seconds": round(epoch, 4),
                          "bound_seconds": round(bound, 4)},
         "machine": machine()}
    )  # fmt: skip


if __name__ == "__main__":
    main()
