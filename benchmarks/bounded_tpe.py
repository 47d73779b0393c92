"""Does TPE that reads the best 100 and the latest 400 trials search as well as one that reads all?

    python benchmarks/bounded_tpe.py --trials 1000 --seeds 10 --output runs/bench

A noisy function of six parameters on the ranges of the default space, with two that go together.
Both samplers draw with the same seeds. Up to 500 trials they read the same ones and propose the
same, so that compared is what they propose behind these: the mean and the best of the true values,
and the true value of the trial that a user would take, with the interval of the paired difference
over the seeds.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from side_by_side import Lines

from tuner.config import SamplerSettings, load_settings
from tuner.evaluation import mean_interval
from tuner.search import sampler
from tuner.search.space import distributions, suggest

OFF = [(f"space.{name}", "off") for name in ("training.fine_tune_scale", "model.frozen_depth")]
FIGURES = ("mean_of_first", "mean_behind", "best_behind", "chosen", "seconds")


def true_value(params: Mapping[str, Any]) -> float:
    rate = math.log10(params["training.learning_rate"]) + 2.3
    l1 = math.log10(params["regularization.l1"]) + 6.0
    l2 = math.log10(params["regularization.l2"]) + 5.0 - rate
    dropout = params["model.dropout"] - 0.35 - 0.2 * rate
    token = params["model.token_dropout"] - 0.5
    power = params["model.pooling_power"] - 0.2
    loss = rate**2 + 0.05 * l1**2 + 0.1 * l2**2 + 2 * dropout**2 + token**2 + power**2
    return 0.9 - 0.1 * math.sqrt(loss)


def run(seed: int, trials: int, start: int) -> dict[str, float]:
    """Give the true values of what is proposed behind the first trials, and the seconds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = distributions(load_settings(overrides=OFF))
    study = optuna.create_study(direction="maximize")
    noise = np.random.default_rng(seed)
    values: list[float] = []
    told: list[float] = []
    started = time.perf_counter()
    for number in range(trials):
        study.sampler = sampler.build_sampler(
            SamplerSettings(), space, study_seed=seed, number=number
        )
        trial = study.ask()
        values.append(true_value(suggest(trial, space)))
        told.append(values[-1] + float(noise.normal(0.0, 0.005)))
        study.tell(trial, told[-1])
    seconds = time.perf_counter() - started
    return {
        "mean_of_first": round(statistics.fmean(values[:start]), 6),
        "mean_behind": round(statistics.fmean(values[start:]), 6),
        "best_behind": round(max(values[start:]), 6),
        "chosen": round(values[told.index(max(told))], 6),
        "seconds": round(seconds, 1),
    }


def difference(lines: Lines, case: dict[str, int], name: str) -> dict[str, Any]:
    """Give the mean of bounded minus all over the seeds, with Student's 95 % interval."""
    by_seed = [
        {row["who"]: row[name] for row in lines.having(**case, seed=seed)}
        for seed in sorted({row["seed"] for row in lines.having(**case)})
    ]
    gains = [found["bounded"] - found["all"] for found in by_seed if len(found) == 2]
    interval = mean_interval(gains)
    return {
        "mean": round(statistics.fmean(gains), 6),
        "interval": None
        if interval is None
        else [round(interval.low, 6), round(interval.high, 6)],
        "seeds": len(gains),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--reads", type=int, default=sampler.LATEST_READ, help="latest trials")
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    start = sampler.BEST_READ + arguments.reads
    if arguments.trials <= start:
        parser.error(f"--trials must be above {start}: up to there both read the same")
    case = {"trials": arguments.trials, "reads": arguments.reads}
    lines = Lines(arguments.output / "bounded_tpe.jsonl")
    for seed in range(arguments.seeds):
        for who, latest in (("bounded", arguments.reads), ("all", arguments.trials)):
            key = {**case, "seed": seed, "who": who}
            if not lines.having(**key):
                sampler.LATEST_READ = latest
                lines.add({**key, **run(seed, arguments.trials, start)})
    lines.sum_up(
        {"summary": case, "bounded_minus_all": {name: difference(lines, case, name)
                                                for name in FIGURES}}
    )  # fmt: skip


if __name__ == "__main__":
    main()
