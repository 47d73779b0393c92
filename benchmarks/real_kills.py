"""The kill drill with the real trainer: workers of the quick start die, and nothing may be lost.

    python -m benchmarks.real_kills --kills 20 --every 20 --trials 60

`tuner submit` registers the study, two `tuner worker` processes with a thread each serve it, and
one of them is killed (`kill -9`) every 20 s and started again, until all kills are done; then the
study runs to its total. Where the total is reached before, more trials are asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.drill_checks import check_end, remember
from tuner.config import Settings
from tuner.records import TrialRecord
from tuner.search import read_trials

STUDY = "kills"
N_WORKERS = 2


def tuner(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tuner", *words, "--output", str(folder)]


def submit(folder: Path, total: int) -> None:
    words = ("submit", "quickstart", "--study-name", STUDY, "--trials", str(total))
    subprocess.run(tuner(folder, *words), check=True, stdout=sys.stderr)


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = ("worker", "--study-name", STUDY, "--threads", "1", "--quiet")
    return subprocess.Popen(tuner(folder, *words), stderr=subprocess.DEVNULL)


def assert_no_gap(trial: TrialRecord) -> None:
    """Assert that no epoch is missing; phase two begins at its own first epoch, whatever ended."""
    fine_tuning = Settings().training.epochs + 1
    steps = sorted(trial.intermediate)
    phases = [s for s in steps if s < fine_tuning], [s for s in steps if s >= fine_tuning]
    for first, phase in zip((1, fine_tuning), phases, strict=True):
        assert phase == list(range(first, first + len(phase))), f"trial {trial.number}: {steps}"


def drill(folder: Path, total: int, kills: int, every: float) -> dict[str, int]:
    url = f"sqlite:///{folder / 'tuner.db'}"
    chance, seen, done = random.Random(0), {}, 0
    submit(folder, total)
    workers = [start(folder) for _ in range(N_WORKERS)]
    next_kill = time.monotonic() + every
    while remember(seen, read_trials(url, STUDY)) < total or done < kills:
        if done < kills and len(seen) >= total - 2:
            total += 10
            submit(folder, total)
        workers = [worker if worker.poll() is None else start(folder) for worker in workers]
        if done < kills and time.monotonic() >= next_kill:
            victim = chance.choice(workers)
            victim.kill()
            victim.wait()
            done += 1
            next_kill = time.monotonic() + every
        time.sleep(1.0)
    for worker in workers:
        worker.wait(120)
    n_cut_off = check_end(seen, read_trials(url, STUDY), total)
    for trial in seen.values():
        assert_no_gap(trial)
    epochs = sum(len(trial.intermediate) for trial in seen.values())
    return {
        "asked_for": total, "finished": len(seen), "kills": done,
        "trials_cut_off": n_cut_off, "epochs": epochs,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=20.0, metavar="SECONDS")
    options = parser.parse_args()
    os.environ.pop("OPTUNA_STORAGE", None)
    with tempfile.TemporaryDirectory(prefix="tuner-kills-") as name:
        print(json.dumps(drill(Path(name), options.trials, options.kills, options.every)))


if __name__ == "__main__":
    main()
