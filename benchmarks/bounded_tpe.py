"""Does TPE that reads the best 100 and the latest 400 trials search as well as one that reads all?

    python benchmarks/bounded_tpe.py --trials 1500 --seeds 3 --output runs/bench

A noisy function of six parameters on the ranges of the default space, with two that go together.
Both samplers draw with the same seeds; compared are the true values of what they propose.
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
from side_by_side import Lines, median

from tuner.config import SamplerSettings, load_settings
from tuner.search import sampler
from tuner.search.space import distributions, suggest

OFF = [(f"space.{name}", "off") for name in ("training.fine_tune_scale", "model.frozen_depth")]
CHECKPOINTS = (500, 1_000, 1_500)


def true_value(params: Mapping[str, Any]) -> float:
    rate = math.log10(params["training.learning_rate"]) + 2.3
    l1 = math.log10(params["regularization.l1"]) + 6.0
    l2 = math.log10(params["regularization.l2"]) + 5.0 - rate
    dropout = params["model.dropout"] - 0.35 - 0.2 * rate
    token = params["model.token_dropout"] - 0.5
    power = params["model.pooling_power"] - 0.2
    loss = rate**2 + 0.05 * l1**2 + 0.1 * l2**2 + 2 * dropout**2 + token**2 + power**2
    return 0.9 - 0.1 * math.sqrt(loss)


def run(seed: int, trials: int) -> tuple[dict[str, float], float]:
    """Give the best true value at the checkpoints with the mean of the last 100, and seconds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = distributions(load_settings(overrides=OFF))
    study = optuna.create_study(direction="maximize")
    noise = np.random.default_rng(seed)
    values: list[float] = []
    started = time.perf_counter()
    for number in range(trials):
        study.sampler = sampler.build_sampler(
            SamplerSettings(), space, study_seed=seed, number=number
        )
        trial = study.ask()
        values.append(true_value(suggest(trial, space)))
        study.tell(trial, values[-1] + float(noise.normal(0.0, 0.005)))
    seconds = time.perf_counter() - started
    found = {f"best_{n}": round(max(values[:n]), 5) for n in CHECKPOINTS if n <= trials}
    return found | {"mean_of_last_100": round(statistics.fmean(values[-100:]), 5)}, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    lines = Lines(arguments.output / "bounded_tpe.jsonl")
    bounded = sampler.LATEST_READ
    for seed in range(arguments.seeds):
        for who, latest in (("bounded", bounded), ("all", arguments.trials)):
            if not lines.having(seed=seed, who=who):
                sampler.LATEST_READ = latest
                found, seconds = run(seed, arguments.trials)
                lines.add({"seed": seed, "who": who, **found, "seconds": round(seconds, 1)})
    fields = [name for name in lines.rows[0] if name.startswith(("best", "mean", "seconds"))]
    lines.sum_up(
        {"medians": {who: {name: median(row[name] for row in lines.having(who=who))
                           for name in fields} for who in ("bounded", "all")}}
    )  # fmt: skip


if __name__ == "__main__":
    main()
