"""What sampler, storage and results add to a trial when the study has many finished trials.

    python benchmarks/many_trials.py --finished 10000 --output runs/bench

A study of six parameters is filled with finished trials of a known function; then trials of a
trainer that takes no time are run through the product's own loop, results written as in a study.
What is left is what everything around the training costs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from side_by_side import Lines, TunerLoop, machine, median, open_bench
from sqlalchemy import insert
from sqlalchemy.orm import Session

from tuner.config import Settings
from tuner.records import Scores, TrialOutcome

SIX = ("training.fine_tune_scale", "model.frozen_depth")  # off: six of the eight are left
OVERRIDES = [(f"space.{name}", "off") for name in SIX]


def value_of(params: dict[str, Any]) -> float:
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
        report(epochs_completed=epoch, value=value * epoch / 8)
    return nothing_trained(value)


def nothing_trained(value: float) -> TrialOutcome:
    scores = Scores(10, value, value, value, value, None, {})
    return TrialOutcome(
        value=value, best_epoch=8, validation=scores, selection=scores, history=(),
        seconds={"train": 0.0}, weights={"w": np.array([value], np.float32)},
        n_parameters=1, n_traces=0,
    )  # fmt: skip


def fill(loop: TunerLoop, n: int, weights: str) -> None:
    """Write finished trials as the product's would look, in bulk."""
    study, generator = loop.search._study, np.random.default_rng(0)
    random = optuna.samplers.RandomSampler(seed=0)
    now = datetime.now(UTC).replace(tzinfo=None)
    rows: dict[Any, list[dict[str, Any]]] = {
        model: []
        for model in (
            models.TrialModel, models.TrialParamModel, models.TrialValueModel,
            models.TrialIntermediateValueModel, models.TrialUserAttributeModel,
        )
    }  # fmt: skip
    trial_rows, param_rows, value_rows, step_rows, attribute_rows = rows.values()
    for number in range(n):
        key = {"trial_id": number + 1}
        trial_rows.append(
            key | {"number": number, "study_id": study._study_id, "state": TrialState.COMPLETE,
                   "datetime_start": now, "datetime_complete": now}
        )  # fmt: skip
        params = {}
        for name, each in loop.search.space.items():
            params[name] = random.sample_independent(study, None, name, each)  # type: ignore[arg-type]
            param_rows.append(
                key | {"param_name": name, "param_value": each.to_internal_repr(params[name]),
                       "distribution_json": distribution_to_json(each)}
            )  # fmt: skip
        value = value_of(params) - 0.01 - abs(float(generator.normal(0, 0.01)))
        value_rows.append(key | {"objective": 0, "value": value, "value_type": "FINITE"})
        step_rows += [
            key | {"step": epoch, "intermediate_value": value * epoch / 8,
                   "intermediate_value_type": "FINITE"}
            for epoch in range(1, 9)
        ]  # fmt: skip
        scores = {"macro_f1": value, "accuracy": value, "n": 10}
        noted = {"best_epoch": 8, "validation": scores, "selection": scores,
                 "seconds": {"train": 1.0}, "weights": weights}  # fmt: skip
        attribute_rows += [
            key | {"key": name, "value_json": json.dumps(content)}
            for name, content in noted.items()
        ]
    with Session(loop.search._storage.engine) as session:
        for model, content in rows.items():
            session.execute(insert(model), content)
        session.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = arguments.output
    lines = Lines(folder / "many_trials.jsonl")
    bench = open_bench("quickstart", folder, OVERRIDES)
    seconds = {}
    for finished in (20, arguments.finished):
        home = folder / f"many-{finished}"
        shutil.rmtree(home, ignore_errors=True)
        loop = TunerLoop(bench, home, "many")
        fill(
            loop, finished, loop.results.trial_store.keep_weights(nothing_trained(0.5), n_better=0)
        )
        loop.search.close()
        loop = TunerLoop(bench, home, "many")
        bench.pipeline.run_trial = train_nothing  # type: ignore[method-assign]
        bench.pipeline.stored_model = nothing_stored  # type: ignore[method-assign]
        loop.run_one()  # the first one loads the study
        spent = []
        for _ in range(arguments.trials):
            started = time.perf_counter()
            loop.run_one()
            spent.append(time.perf_counter() - started)
        seconds[str(finished)] = median(spent)
    lines.add({"seconds_around_the_training": seconds, "machine": machine()})


def nothing_stored(settings: Settings, weights: dict[str, Any], about: dict[str, Any]) -> Any:
    from tuner.persist import StoredModel

    return StoredModel(settings.model_dump(mode="json"), ("a",), 1, 1, (8,), ("a", "b"), weights,
                       about)  # fmt: skip


if __name__ == "__main__":
    main()
