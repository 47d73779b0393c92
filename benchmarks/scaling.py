"""Seconds a trial over rows, classes and length, and trials an hour with one and two processes.

    python benchmarks/scaling.py --output runs/bench

Texts are drawn: a vocabulary of 30,000 by Zipf's law, and words that tell the class. Each point is
the median of three trainings after one that compiles, in a process of its own. What two processes
do is asked of whole trials: the real `tuner optimize` on one study of such texts, alone with all
threads, and with `--workers 2`, which divide these; its pace is that behind the first two trials a
process, where they compile. What is in the results already is not measured again.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import itertools
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
from side_by_side import Lines, in_a_new_process, median

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


def measure_point(point: dict[str, int]) -> tuple[float, list[float]]:
    """Give the seconds of the first training in this process, and of three later ones."""
    importlib.import_module("tensorflow")  # loading it is no part of the first trial
    prepared = data(**point)
    first, *later = (trial_seconds(prepared, turn) for turn in range(4))
    return first, later


def write_texts(path: Path, rows: int) -> None:
    """Write a table whose words and classes are drawn as those of the points."""
    drawn = part(rows, USUAL["classes"], USUAL["length"], 0)
    ends = np.cumsum(drawn.texts.lengths)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for label, ids in zip(drawn.labels, np.split(drawn.texts.flat, ends[:-1]), strict=True):
            writer.writerow([" ".join(f"w{number}" for number in ids), f"class {label}"])


COMMAND = [
    "--confirm", "none", "--pruner", "none", "--sampler", "random", "--study-name", "scaling",
    "--set", "model.backbone=average", "--set", "training.patience=99",
    "--set", "features.ngrams=1", "--quiet",
]  # fmt: skip


def trials_per_hour(folder: Path, *, processes: int, trials: int, rows: int) -> float:
    """Run a study with so many processes, and give its pace behind the first two of each."""
    folder.mkdir(parents=True, exist_ok=True)
    table, home = folder / f"texts-{rows}.csv", folder / f"runs-{processes}"
    if not table.exists():
        write_texts(table, rows)
    shutil.rmtree(home, ignore_errors=True)
    workers = ["--workers", str(processes)] if processes > 1 else []
    subprocess.run(
        [sys.executable, "-m", "tuner.optimize", "--data", str(table), "--trials", str(trials),
         "--output", str(home), *COMMAND, *workers],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return pace(ends_of_trials(home / "tuner.db"), warm=2 * processes)


def ends_of_trials(database: Path) -> list[float]:
    """Give when the trials ended, in seconds of the clock, the first one first."""
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT datetime_complete FROM trials WHERE state = 'COMPLETE'")
    ends = sorted(datetime.fromisoformat(end).timestamp() for (end,) in rows)
    connection.close()
    return ends


def pace(ends: list[float], *, warm: int) -> float:
    """Give trials an hour from the end of trial number `warm`, counted from 1, on."""
    later = ends[warm:]
    return round(len(later) * 3_600 / (later[-1] - ends[warm - 1]), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    parser.add_argument("--trials", type=int, default=60, help="of each study")
    parser.add_argument("--rows", type=int, default=16_667, help="of its table; 60 %% are train")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    lines = Lines(arguments.output / "scaling.jsonl")
    for point in POINTS:
        if not lines.having(**point):
            first, later = in_a_new_process(measure_point, point)
            lines.add({**point, "first_seconds": round(first, 2), "seconds": median(later)})
    study = {"trials": arguments.trials, "rows_of_table": arguments.rows}
    for turn, processes in itertools.product(range(arguments.turns), (1, 2)):
        if not lines.having(**study, turn=turn, processes=processes):
            per_hour = trials_per_hour(
                arguments.output / "scaling", processes=processes, trials=arguments.trials,
                rows=arguments.rows,
            )  # fmt: skip
            lines.add({**study, "turn": turn, "processes": processes, "trials_per_hour": per_hour})
    hours = {
        n: median(row["trials_per_hour"] for row in lines.having(**study, processes=n))
        for n in (1, 2)
    }
    lines.sum_up({**study, "two_processes_over_one": round(hours[2] / hours[1], 2)})


if __name__ == "__main__":
    main()
