"""Memory and time per trial over many trials in one process.

    python benchmarks/memory_growth.py --trials 300 --output runs/bench

Whole trials of the quick start with one epoch a phase, every part of the product's loop included.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path

import psutil
from side_by_side import Lines, TunerLoop, machine, open_bench

SHORT = (("training.epochs", 1), ("training.fine_tune_epochs", 1), ("pruner.name", "none"))
EVERY = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    folder = arguments.output
    lines = Lines(folder / "memory_growth.jsonl")
    if lines.having(trials=arguments.trials):
        return  # memory of one process: what was cut off begins anew
    shutil.rmtree(folder / "memory", ignore_errors=True)
    loop = TunerLoop(open_bench("quickstart", folder, SHORT), folder / "memory", "memory")
    spent, found = [], {}
    for number in range(1, arguments.trials + 1):
        started = time.perf_counter()
        loop.run_one()
        spent.append(time.perf_counter() - started)
        if number % EVERY == 0:
            megabytes = psutil.Process().memory_info().rss / 1e6
            found[str(number)] = {
                "megabytes": round(megabytes),
                "median_seconds": round(statistics.median(spent[-EVERY:]), 3),
            }
            print(number, found[str(number)], flush=True)
    lines.add({"trials": arguments.trials, "after_trials": found, "machine": machine()})


if __name__ == "__main__":
    main()
