"""Seconds a trial over rows, classes and length, and trials an hour with one and two processes.

    python benchmarks/scaling.py --output runs/bench

Texts are drawn: a vocabulary of 30,000 by Zipf's law, and words that tell the class. Each point is
the median of three trials after one that compiles; a point that is in the results already is not
measured again.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import Lines, median

from tuner.config import load_settings
from tuner.features import Encoded
from tuner.records import TrialSeeds
from tuner.training import FitData, LabelledTexts, fit, prepare_fit

VOCABULARY = 30_000
USUAL = {"rows": 10_000, "classes": 2, "length": 60}
POINTS = [
    *({**USUAL, "rows": rows} for rows in (1_000, 10_000, 50_000, 200_000)),
    *({**USUAL, "classes": classes} for classes in (20, 150)),
    *({**USUAL, "length": length} for length in (15, 250)),
]


def part(rows: int, classes: int, length: int, seed: int) -> LabelledTexts:
    generator = np.random.default_rng(seed)
    lengths = np.clip(generator.poisson(length, rows), 2, None).astype(np.int32)
    flat = np.minimum(generator.zipf(1.2, int(lengths.sum())) + 200, VOCABULARY - 1)
    labels = generator.integers(0, classes, rows).astype(np.int32)
    flat[np.cumsum(lengths) - lengths] = 2 + labels
    return LabelledTexts(Encoded(flat.astype(np.int32), lengths), labels)


def data(rows: int, classes: int, length: int) -> FitData:
    return prepare_fit(
        part(rows, classes, length, 0), part(rows // 4, classes, length, 1),
        part(rows // 6, classes, length, 2), vocabulary_size=VOCABULARY, max_tokens=4 * length,
        classes=[str(number) for number in range(classes)],
    )  # fmt: skip


def trial_seconds(prepared: FitData, turn: int) -> float:
    settings = load_settings(overrides=[("training.patience", 99), ("model.backbone", "average")])
    started = time.perf_counter()
    fit(settings, prepared, seeds=TrialSeeds(turn, turn, turn), report=lambda **_: None,
        stop_requested=lambda: None)  # fmt: skip
    return time.perf_counter() - started


def work(seconds: float) -> int:
    """Run usual trials for some time, after one that compiles; give their count."""
    prepared = data(**USUAL)
    trial_seconds(prepared, 0)
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.perf_counter() + seconds
    return next(turn for turn in itertools.count() if out_of_time(prepared, turn, until))


def out_of_time(prepared: FitData, turn: int, until: float) -> bool:
    if time.perf_counter() >= until:
        return True
    trial_seconds(prepared, turn)
    return False


def trials_per_hour(processes: int, seconds: float) -> float:
    """Let processes work at the same time."""
    command = [sys.executable, __file__, "--work", str(seconds)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    pipes: Any = [(worker.stdin, worker.stdout) for worker in workers]
    for _, out in pipes:
        out.readline()
    started = time.perf_counter()
    for into, _ in pipes:
        into.write("\n")
        into.flush()
    counts = [int(worker.communicate()[0]) for worker in workers]
    return round(sum(counts) * 3_600 / (time.perf_counter() - started), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    parser.add_argument("--work", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(work(arguments.work))
        return
    lines = Lines(arguments.output / "scaling.jsonl")
    for point in POINTS:
        if not lines.having(**point):
            prepared = data(**point)
            first = trial_seconds(prepared, 0)
            later = [trial_seconds(prepared, turn) for turn in range(1, 4)]
            lines.add({**point, "first_seconds": round(first, 2), "seconds": median(later)})
    for turn, processes in itertools.product(range(3), (1, 2)):
        if not lines.having(turn=turn, processes=processes):
            per_hour = trials_per_hour(processes, 30.0)
            lines.add({"turn": turn, "processes": processes, "trials_per_hour": per_hour})
    hours = {
        n: median(row["trials_per_hour"] for row in lines.having(processes=n)) for n in (1, 2)
    }
    lines.sum_up({"two_processes_over_one": round(hours[2] / hours[1], 2)})


if __name__ == "__main__":
    main()
