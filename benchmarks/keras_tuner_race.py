"""How long until KerasTuner's best validation score is reached.

    python benchmarks/keras_tuner_race.py --rival random --seeds 3 --trials 30 --output runs/bench

KerasTuner (extra `bench`) searches the same network on the same prepared data for as many trials
as asked; tuner then searches with its default sampler and pruner until a trial's validation score
reaches the best that KerasTuner found. Its clock is compared with KerasTuner's at the end of that
search, and when that best score came. For each seed the two run one after the other, each in a
process of its own, so that tuner compiles for every seed. `hyperband` takes as many trials as
KerasTuner's own schedule has. Where tuner has not reached the score after an hour, its seconds are
a lower bound, and the ratio an upper one; the summary counts such rows.

Tuner's trial 0 runs default settings that were tuned by hand, which KerasTuner does not know. With
--without-default the search goes on until another trial has reached the score too, and the same
row says when that was; the clock runs from the start all the same, since trial 0 compiles.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from best_weights import macro_f1
from plain_networks import build
from side_by_side import Bench, Lines, TunerLoop, in_a_new_process, median, open_bench

from tuner.config import apply_params
from tuner.search.space import distributions

LIMIT_SECONDS = 3_600


class MacroF1(keras.callbacks.Callback):
    """Puts macro-F1 on validation into the logs, where KerasTuner reads its objective.

    `curve` takes every value with the clock at it.
    """

    def __init__(self, x: Any, y: Any, curve: list[tuple[float, float]]) -> None:
        super().__init__()
        self._x, self._y, self._curve = x, y, curve

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_macro_f1"] = macro_f1(self.model, self._x, self._y)
        self._curve.append((time.perf_counter(), logs["val_macro_f1"]))


class Network(keras_tuner.HyperModel):
    """The same network and the same ranges."""

    def __init__(self, bench: Bench, arrays: dict[str, Any]) -> None:
        super().__init__()
        self._bench, self._arrays = bench, arrays
        self.curve: list[tuple[float, float]] = []

    def build(self, hp: Any) -> Any:
        params = {}
        for name, each in distributions(self._bench.settings).items():
            if name in ("training.fine_tune_scale", "model.frozen_depth"):
                continue  # its trials have one phase
            sampling = "log" if getattr(each, "log", False) else "linear"
            params[name] = hp.Float(name, each.low, each.high, sampling=sampling)
        settings = apply_params(self._bench.settings, params)
        layout = self._bench.prepared.data.layout
        model = build(settings, layout.vocabulary_size, len(self._bench.parts.classes))
        model.compile(
            keras.optimizers.Adam(settings.training.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        return model

    def fit(self, hp: Any, model: Any, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        scoring = MacroF1(*self._arrays["validation"], self.curve)
        return model.fit(*args, callbacks=[scoring, *callbacks], **kwargs)


def arrays_of(bench: Bench) -> dict[str, Any]:
    length = bench.prepared.data.layout.edges[-1]
    numbers = {name: number for number, name in enumerate(bench.parts.classes)}
    return {
        part: (
            texts.padded(np.arange(len(texts)), length),
            np.array([numbers[d.label] for d in getattr(bench.parts, part)]),
        )
        for part, texts in bench.prepared.encoded.items()
    }


def open_race(study: str, folder: Path, seed: int) -> Bench:
    return open_bench(study, folder, [("study.seed", seed), ("model.backbone", "average")])


def rival(
    study: str, folder: Path, kind: str, *, seed: int, trials: int
) -> tuple[float, float, float]:
    """Run KerasTuner; give its seconds, those until its best validation score, and that."""
    bench = open_race(study, folder, seed)
    tuned = folder / "keras_tuner"
    shutil.rmtree(tuned, ignore_errors=True)
    arrays, epochs = arrays_of(bench), bench.settings.epochs_max
    common = {
        "objective": keras_tuner.Objective("val_macro_f1", "max"),
        "seed": seed, "directory": str(tuned), "project_name": "rival",
    }  # fmt: skip
    network = Network(bench, arrays)
    search = (
        keras_tuner.RandomSearch(network, max_trials=trials, **common)
        if kind == "random"
        else keras_tuner.Hyperband(network, max_epochs=epochs, **common)
    )
    started = time.perf_counter()
    search.search(
        *arrays["train"], epochs=epochs, batch_size=bench.settings.training.batch_size, verbose=0
    )
    seconds = time.perf_counter() - started
    best = float(search.oracle.get_best_trials(1)[0].score)
    reached = next(clock for clock, value in network.curve if value >= best - 1e-9)
    return seconds, reached - started, best


Curve = list[tuple[float, float]]
"""Of each trial the seconds at its end, and its best validation score."""


def own(
    study: str, folder: Path, *, seed: int, goal: float, name: str, without_default: bool
) -> Curve:
    """Run tuner until a trial reaches the goal, or until a trial other than the first one does."""
    bench = open_race(study, folder, seed)
    shutil.rmtree(folder / name, ignore_errors=True)
    loop = TunerLoop(bench, folder / name, name)
    started = time.perf_counter()
    curve: Curve = []
    while len(curve) < 2 or curve[-1][0] < LIMIT_SECONDS:
        values = loop.run_one().intermediate.values()
        curve.append((time.perf_counter() - started, max(values, default=0.0)))
        if any(value >= goal for _, value in curve[without_default:]):
            break
    return curve


def reached(who: str, curve: Curve, goal: float) -> dict[str, Any]:
    """Give seconds and trials until the goal is reached, or those of the whole curve."""
    n = next((n for n, (_, value) in enumerate(curve, start=1) if value >= goal), None)
    return {
        f"{who}_seconds": round(curve[(n or len(curve)) - 1][0], 1),
        f"{who}_trials": n or len(curve),
        f"{who}_reached": n is not None,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the median ratios, and of how many rows they are but upper bounds."""
    clocks = ("rival_seconds", "rival_seconds_until_best")
    found: dict[str, Any] = {"seeds": len(rows)}
    for who in ("tuner", "without_default"):
        if all(f"{who}_seconds" in row for row in rows):
            found[who] = {
                "median_ratios": {
                    name: median(row[name] / row[f"{who}_seconds"] for row in rows)
                    for name in clocks
                },
                "not_reached": sum(not row[f"{who}_reached"] for row in rows),
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rival", choices=("random", "hyperband"), default="random")
    parser.add_argument("--study", default="quickstart")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument(
        "--without-default", action="store_true", help="time tuner's trials but the first, too"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    kind, folder = arguments.rival, arguments.output
    lines = Lines(folder / "keras_tuner.jsonl")
    case = {
        "study": arguments.study, "rival": kind, "trials": arguments.trials,
        "without_default": arguments.without_default,
    }  # fmt: skip
    for seed in range(arguments.seeds):
        if lines.having(**case, seed=seed):
            continue
        seconds, until_best, goal = in_a_new_process(
            rival, arguments.study, folder, kind, seed=seed, trials=arguments.trials
        )
        curve = in_a_new_process(
            own, arguments.study, folder, seed=seed, goal=goal, name=f"race-{kind}-{seed}",
            without_default=arguments.without_default,
        )  # fmt: skip
        lines.add(
            {**case, "seed": seed, "rival_seconds": round(seconds, 1),
             "rival_seconds_until_best": round(until_best, 1), "rival_best": round(goal, 4),
             **reached("tuner", curve, goal),
             **(reached("without_default", curve[1:], goal)
                if arguments.without_default else {})}
        )  # fmt: skip
    lines.sum_up({"summary": case, **summary(lines.having(**case))})


if __name__ == "__main__":
    main()
