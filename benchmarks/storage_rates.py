"""Trials a second that the storage carries: claim, five parameters, ten reports, finish.

The trial itself takes no time, so these are bounds; a row is a study with so many finished
trials before it.

    python -m benchmarks.storage_rates --processes 1 4 16 --trials 10 1000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

from optuna.trial import TrialState, create_trial

from benchmarks.chaos import Quiet, start_postgres
from tuner.config import load_settings
from tuner.records import Scores, TrialOutcome
from tuner.search import Search

REPORTS = 10


class Nowhere:
    """Keeps nothing; a checkpoint that is never due."""

    def keep_weights(self, outcome, *, n_better):
        return "none"

    def checkpoint(self, origin, attempt):
        return self

    def load(self):
        return None

    def is_due(self):
        return False

    def clear(self):
        pass


def run_stub(settings, *, seeds, report, stop_requested, checkpoint):
    value = settings.model.dropout
    for epoch in range(1, REPORTS + 1):
        report(epochs_completed=epoch, value=value)
    scores = Scores(1, value, value, value, value, None, {})
    return TrialOutcome(
        value=value, best_epoch=1, validation=scores, selection=scores, history=(), seconds={},
        weights={}, n_parameters=0, n_traces=0,
    )  # fmt: skip


def open_study(url, sampler):
    settings = load_settings(overrides=[("sampler.name", sampler), ("pruner.name", "none")])
    return Search(settings, fingerprint="f" * 64, storage_url=url, study_name="rates")


def work(url, sampler, total, barrier, seconds):
    with closing(open_study(url, sampler)) as study:
        study.trials()  # the first load is not what is measured
        barrier.wait()
        began = time.perf_counter()
        study.run(
            run_stub, total=total, progress=Quiet(), stop_requested=lambda: None, store=Nowhere()
        )
        seconds.put(time.perf_counter() - began)
    os._exit(0)


def fill(url, sampler, n):
    """Put `n` finished trials of random parameters into the study."""
    with closing(open_study(url, sampler)) as study:
        generator = random.Random(0)
        for _ in range(n - study.counts()["finished"]):
            params = {
                name: generator.randint(d.low, d.high)
                if isinstance(d.low, int) and not getattr(d, "log", False)
                else generator.uniform(d.low, d.high)
                for name, d in study.space.items()
            }
            value = generator.random()
            curve = dict.fromkeys(range(1, REPORTS + 1), value)
            trial = create_trial(
                state=TrialState.COMPLETE,
                value=value,
                params=params,
                distributions=study.space,
                intermediate_values=curve,
            )
            study._study.add_trial(trial)


def measure(url, sampler, *, before, processes, measured):
    fill(url, sampler, before)
    with closing(open_study(url, sampler)) as study:
        total = study.counts()["finished"] + measured
    context = multiprocessing.get_context("fork")
    barrier, seconds = context.Barrier(processes), context.SimpleQueue()
    workers = [
        context.Process(target=work, args=(url, sampler, total, barrier, seconds))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    longest = max(seconds.get() for _ in workers)
    for worker in workers:
        worker.join()
    return {
        "before": before, "processes": processes, "trials_per_second": round(measured / longest, 2)
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--storage", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--measured", type=int, default=64)
    options = parser.parse_args()
    for storage in options.storage or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory(prefix="tuner-rates-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            server, url = None, f"sqlite:///{folder / 'rates.db'}"
            if storage == "postgresql":
                server, url, _ = start_postgres(folder)
            for before in sorted(options.trials):
                for processes in options.processes:
                    row = measure(
                        url, options.sampler, before=before, processes=processes,
                        measured=options.measured,
                    )  # fmt: skip
                    print(json.dumps({"storage": storage, "sampler": options.sampler, **row}))
            if server is not None:
                server.cleanup()


if __name__ == "__main__":
    main()
