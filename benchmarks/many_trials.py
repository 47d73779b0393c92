"""What sampler, storage and results add to a trial when the study has many finished trials.

    python benchmarks/many_trials.py --finished 10000 --output runs/bench

A study of six parameters is filled with finished trials of a known function; then trials of a
trainer that takes no time are run through the product's own loop, results written as in a study,
for a minute. What is left is what everything around the training costs, in the mean: what comes
seldom and takes long, such as `trials.csv` of a long study, belongs to it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filled_study import fill
from side_by_side import Lines, TunerLoop, machine, median, open_bench

from tuner.config import Settings
from tuner.metrics import METRICS
from tuner.records import Scores, Spent, TrialOutcome

SIX = ("training.fine_tune_scale", "model.frozen_depth")  # off: six of the eight are left
OVERRIDES = [("model.backbone", "average"), *((f"space.{name}", "off") for name in SIX)]


def value_of(params: Mapping[str, Any]) -> float:
    distance = abs(params["model.dropout"] - 0.3) + abs(
        np.log10(params["training.learning_rate"]) + 2.5
    )
    return float(1.0 / (1.0 + distance))


def train_nothing(settings: Settings, *, report: Any, **_: Any) -> TrialOutcome:
    value = value_of(
        {
            "model.dropout": settings.model.dropout,
            "training.learning_rate": settings.training.learning_rate,
        }
    )
    for epoch in range(1, 9):
        report(epochs_completed=epoch, value=value * epoch / 8, spent=Spent({}))
    return nothing_trained(value)


def nothing_trained(value: float) -> TrialOutcome:
    scores = Scores(10, dict.fromkeys(METRICS, value))
    return TrialOutcome(
        value=value, best_epoch=8, validation=scores, selection=scores, history=(),
        spent=Spent({"train": 0.0}), weights={"w": np.array([value], np.float32)},
        n_parameters=1,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="at each size")
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = arguments.output
    lines = Lines(folder / "many_trials.jsonl")
    case = {"finished": arguments.finished, "seconds": arguments.seconds}
    if lines.having(**case):
        return
    bench = open_bench("quickstart", folder, OVERRIDES)
    found = {}
    for finished in (20, arguments.finished):
        home = folder / f"many-{finished}"
        shutil.rmtree(home, ignore_errors=True)
        loop = TunerLoop(bench, home, "many")
        weights = loop.results.trial_store.keep_weights(nothing_trained(0.5), n_better=0)
        fill(loop.search, finished, value_of=value_of, weights=weights)
        loop.search.close()
        loop = TunerLoop(bench, home, "many")
        bench.pipeline.run_trial = train_nothing  # type: ignore[method-assign]
        bench.pipeline.stored_model = nothing_stored  # type: ignore[method-assign]
        loop.run_one()  # the first one loads the study
        spent = []
        while sum(spent) < arguments.seconds:
            started = time.perf_counter()
            loop.run_one()
            spent.append(time.perf_counter() - started)
        found[str(finished)] = {
            "mean": round(statistics.fmean(spent), 4), "median": median(spent),
            "longest": round(max(spent), 4), "trials": len(spent),
        }  # fmt: skip
    lines.add({**case, "seconds_around_the_training": found, "machine": machine()})


def nothing_stored(settings: Settings, weights: dict[str, Any], about: dict[str, Any]) -> Any:
    from tuner.persist import StoredModel

    return StoredModel(settings.model_dump(mode="json"), ("a",), 1, 1, (8,), ("a", "b"), weights,
                       about)  # fmt: skip


if __name__ == "__main__":
    main()
