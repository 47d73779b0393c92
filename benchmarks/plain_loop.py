"""Trials per hour against a plain, fair Optuna + Keras loop.

    python benchmarks/plain_loop.py --backbone average --trials 30 --output runs/bench

The plain loop is what one writes after reading the tutorials of Optuna and Keras, done well: data
prepared once and given to it, padded to one length; the same network, built and compiled in each
trial after `clear_session`; `fit` with the same epochs and batch size; macro-F1 on validation
after each epoch and the best weights kept; the same two phases; a study in SQLite. L1 and L2
are off in both: tuner penalises an embedding's rows of the batch, Keras could only penalise it
whole. Contestants take turns on the same configurations, drawn by tuner's random sampler. Nothing
is pruned and no phase ends early, so both train the same number of epochs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
from best_weights import BestWeights, macro_f1
from code_key import code_key, options_key
from plain_networks import NETWORKS, build
from side_by_side import QUIET, Bench, Lines, TunerLoop, median, open_bench

from tuner.config import apply_params


class PlainLoop:
    """The rival."""

    def __init__(self, bench: Bench, folder: Path, name: str) -> None:
        self._settings = bench.settings
        encoded, data = bench.prepared.encoded, bench.prepared.data
        length = data.layout.edges[-1]
        numbers = {name: number for number, name in enumerate(bench.parts.classes)}
        self._x = {
            part: texts.padded(np.arange(len(texts)), length) for part, texts in encoded.items()
        }
        self._y = {
            part: np.array([numbers[d.label] for d in getattr(bench.parts, part)])
            for part in encoded
        }
        self._sizes = (data.layout.vocabulary_size, len(bench.parts.classes))
        self._study = optuna.create_study(
            storage=f"sqlite:///{folder / f'{name}.db'}", study_name=name, load_if_exists=True,
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=0),
        )  # fmt: skip

    def run_one(self, params: Mapping[str, Any]) -> float:
        """Run one configuration as a trial of an Optuna study."""
        self.training_seconds = 0.0
        self._study.enqueue_trial(dict(params))
        self._study.optimize(lambda trial: self._objective(trial, params), n_trials=1)
        return float(self._study.trials[-1].value or 0.0)

    def _objective(self, trial: optuna.Trial, params: Mapping[str, Any]) -> float:
        for name, value in params.items():  # what a plain loop draws
            (trial.suggest_int if isinstance(value, int) else trial.suggest_float)(name, 0, 10)
        settings = apply_params(self._settings, params)
        keras.backend.clear_session()
        keras.utils.set_random_seed(trial.number)
        model = build(settings, *self._sizes)
        best = BestWeights(model, self._x["validation"], self._y["validation"])
        training = settings.training
        self._fit(model, training.learning_rate, training.epochs, training.batch_size, best)
        model.set_weights(best.weights)
        for group in model.layers_from_the_input[: settings.model.frozen_depth]:
            for layer in group:
                layer.trainable = False
        rate = training.learning_rate * training.fine_tune_scale
        self._fit(model, rate, training.fine_tune_epochs, training.batch_size, best)
        model.set_weights(best.weights)
        return macro_f1(model, self._x["selection"], self._y["selection"])

    def _fit(
        self, model: Any, rate: float, epochs: int, batch_size: int, best: BestWeights
    ) -> None:
        steps = epochs * -(-len(self._y["train"]) // batch_size)
        schedule = keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
        model.compile(
            keras.optimizers.Adam(schedule),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(
            self._x["train"], self._y["train"], batch_size=batch_size, epochs=epochs,
            callbacks=[best], verbose=0,
        )  # fmt: skip
        # The first epoch of a fit traces and compiles: all are taken as long as the others.
        self.training_seconds += epochs * statistics.median(best.seconds[-epochs:][1:])


def summary(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    rows = {who: [pair[who] for pair in pairs] for who in ("tuner", "plain")}
    first = {who: found[0]["seconds"] for who, found in rows.items()}
    # The first two of a process compile, or load what is loaded late.
    later_pairs = [pair for pair in pairs if pair["nth_of_process"] >= 2]
    later = {who: [pair[who]["seconds"] for pair in later_pairs] for who in rows}
    values = {who: [r["value"] for r in found] for who, found in rows.items()}
    training = [
        (pair["plain"]["training_seconds"],
         pair["tuner"]["stages"]["train"] + pair["tuner"]["stages"]["fine_tune"])
        for pair in later_pairs
    ]  # fmt: skip
    differences = [a - b for a, b in zip(values["tuner"], values["plain"], strict=True)]
    return {
        "trials": len(pairs),
        "later_trials": len(later_pairs),
        "first_trial_seconds": first,
        "later_trial_seconds": {who: median(found) for who, found in later.items()},
        "ratio_of_later_trials": median(
            b / a for a, b in zip(later["tuner"], later["plain"], strict=True)
        ),
        # What is gained by the steps alone, and what would be gained if there were nothing but
        # the plain loop's own steps: the bound for who compiles and validates for nothing.
        "ratio_of_training_steps": median(plain / own for plain, own in training),
        "bound_without_faster_steps": median(
            b / plain for b, (plain, _) in zip(later["plain"], training, strict=True)
        ),
        "ratio_of_all_with_compiling": round(
            sum(r["seconds"] for r in rows["plain"]) / sum(r["seconds"] for r in rows["tuner"]), 2
        ),
        "mean_selection_macro_f1": {
            who: round(statistics.fmean(found), 4) for who, found in values.items()
        },
        "difference_mean_and_standard_error": [
            round(statistics.fmean(differences), 4),
            round(statistics.stdev(differences) / len(differences) ** 0.5, 4),
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", choices=tuple(NETWORKS), default="average")
    parser.add_argument("--study", default="quickstart")
    parser.add_argument("--data", help="a table in place of the study's")
    parser.add_argument("--tokens", type=int, help="texts are cut there")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    if arguments.trials < 3:
        parser.error("--trials must be 3 or more: the first two are not among the later ones")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backbone, folder = arguments.backbone, arguments.output
    no_penalties = [("regularization.l1", 0.0), ("regularization.l2", 0.0)]
    overrides: list[tuple[str, Any]] = [
        *QUIET.items(), ("model.backbone", backbone), *no_penalties,
    ]  # fmt: skip
    texts = Path(arguments.data).name.split(".")[0] if arguments.data else arguments.study
    if arguments.tokens is not None:
        overrides.append(("features.max_tokens", arguments.tokens))
        texts += f"-{arguments.tokens}"
    bench = open_bench(arguments.study, folder, overrides, arguments.data)
    lines = Lines(folder / f"plain_loop{'' if texts == 'quickstart' else f'-{texts}'}.jsonl")
    case = {
        "backbone": backbone, "texts": texts, "tokens": arguments.tokens,
        "fingerprint": bench.parts.fingerprint,
    }  # fmt: skip
    name = f"{texts}-{backbone}-{options_key(**case, code=code_key())}"
    tuner, plain = TunerLoop(bench, folder, name), PlainLoop(bench, folder, f"plain-{name}")
    nth = 0
    while len(lines.having(**case)) < arguments.trials:
        started = time.perf_counter()
        trial = tuner.run_one()
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        value = plain.run_one(trial.params)
        other = time.perf_counter() - started
        # A pair is one line, so that an interrupted run has no half of one.
        lines.add(
            {**case, "nth_of_process": nth,
             "tuner": {"seconds": round(seconds, 3), "value": trial.value,
                       "stages": trial.attributes["seconds"]},
             "plain": {"seconds": round(other, 3), "value": value,
                       "training_seconds": round(plain.training_seconds, 3)}}
        )  # fmt: skip
        nth += 1
    pairs = lines.having(**case)
    if any(pair["nth_of_process"] >= 2 for pair in pairs):  # else it was cut off after each pair
        lines.sum_up({"summary": {**case, **summary(pairs)}})


if __name__ == "__main__":
    main()
