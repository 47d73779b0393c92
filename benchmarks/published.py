"""Measure tuned backbones on official splits, beside published figures.

    nice python benchmarks/published.py DATA_FOLDER --output published.jsonl

TREC-6, SST-2 (sentences), Banking77 and CLINC150 (in scope), the official test file given, and
the official validation file where there is one. For each set and backbone one study of 30 trials
with a confirmation finds the settings, its objective accuracy, since that is what the papers give;
its sealed test is opened once. Then the winner's settings, and the untuned default ones, are
trained on the same five fresh seeds, and each model is scored on the official test file, whatever
it says: nothing is chosen by it. "Refit" trains the winner's settings with the selection rows in
train, as the papers have them, who keep no such part.

A finished study, and each finished run, is one JSON line in --output; the same command goes on
after a kill. `real_sets.py` names the data and their sources.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from code_key import code_key, options_key
from json_lines import JsonLines
from quiet import Quiet
from real_sets import SETS, write_table

from tuner.config import Settings, apply_params, load_settings
from tuner.evaluation import mean_interval
from tuner.persist import Cache, SealedTest, read_documents_file, read_parts
from tuner.pipeline import Model, Pipeline
from tuner.records import TrialSeeds
from tuner.search.space import default_params, distributions
from tuner.service import ConfirmationPlan, plan_study, run_study

NAMES = ("trec", "sst2", "banking77", "clinc150")
BACKBONES = ("average", "linear", "textcnn")
SEEDS = 5
RUNS = ("seed", "refit", "default")
PUBLISHED = {
    "trec": "CNN-rand 91.2 (Kim 2014, arXiv:1408.5882, table 2)",
    "sst2": "CNN-rand 82.7 (same table; trained on phrases too, here sentences alone)",
    "banking77": "none from scratch; BERT-fixed 87.2 (Casanueva et al. 2020, arXiv:2003.04807)",
    "clinc150": "fastText 89.0, CNN 91.2, MLP 93.5 (Larson et al. 2019, D19-1131, table 2)",
}


def settings_for(name: str, backbone: str, folder: Path, more: Sequence[str]) -> Settings:
    overrides: dict[str, Any] = {
        "data.path": str(folder / "train.csv"),
        "data.test": str(folder / "test.csv"),
        "study.metric": "accuracy",
        "model.backbone": backbone,
        # Of the official train file 80 % train where both other parts are cut from it.
        "split.validation": 0.1,
        "split.selection": 0.1,
        "split.test": 0.01,
    }
    if (folder / "validation.csv").exists():
        overrides["data.validation"] = str(folder / "validation.csv")
    chosen = [tuple(each.split("=", 1)) for each in more]
    return load_settings(overrides=[*overrides.items(), *chosen])


def prepare_folder(name: str, data: Path, work: Path) -> Path:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in SETS[name](data).items():
        write_table(folder / f"{part}.csv", rows)
    return folder


def confirmation_of(written: str) -> ConfirmationPlan | None:
    """Read K:SEEDS, or none."""
    if written == "none":
        return None
    top, _, seeds = written.partition(":")
    return ConfirmationPlan(int(top), int(seeds))


def study_cell(key: Mapping[str, Any], settings: Settings, output: Path) -> dict[str, Any]:
    started = time.monotonic()
    plan = plan_study(settings, storage_url=None, output=output, study_name=_name(key))
    best = run_study(
        plan, total=key["trials"], progress=Quiet(), confirmation=confirmation_of(key["confirm"])
    ).best
    reads = SealedTest(plan.folder).reads
    if reads != 1:
        raise RuntimeError(f"{plan.folder}: the sealed test was read {reads} times")
    return {
        **key,
        "kind": "study",
        "params": best["params"],
        "selection": best["objective"]["value"],
        "confirmed": (best["confirmation"] or {}).get("mean"),
        "test": best["test"]["accuracy"],
        "baselines": {name: b["test"]["accuracy"] for name, b in best["baselines"].items()},
        "sealed_reads": reads,
        "seconds": round(time.monotonic() - started, 1),
    }


def run_cell(key: Mapping[str, Any], settings: Settings, output: Path) -> dict[str, Any]:
    started = time.monotonic()
    parts = read_parts(output / _name(key))
    if key["kind"] == "refit":
        parts = replace(parts, train=(*parts.train, *parts.selection), selection=parts.validation)
    pipeline = Pipeline(parts, Cache(output / "cache"))
    outcome = pipeline.run_trial(
        settings,
        seeds=TrialSeeds(*(1_000_003 * (key["seed"] + 1) + stream for stream in range(3))),
        report=lambda **_: None,
        stop_requested=lambda: None,
    )
    model = Model(pipeline.stored_model(settings, dict(outcome.weights), {}))
    # The file as the study sealed it, read a second time: the study is over.
    test = read_documents_file(output / _name(key) / "sealed" / "test.jsonl")
    return {
        **key,
        "test": model.evaluate(test).value("accuracy"),
        "seconds": round(time.monotonic() - started, 1),
    }


def _name(key: Mapping[str, Any]) -> str:
    """Name the study by all that decides it, the code included."""
    options = {name: key[name] for name in ("trials", "confirm", "more", "code")}
    return f"{key['set']}-{key['backbone']}-{options_key(**options)}"


def summary(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give a Markdown table: accuracy in points, mean and Student's 95 % interval over seeds."""
    lines = [
        "| set | backbone | tuned, 5 seeds | refit with selection | default, the same seeds | "
        "TF-IDF words, characters | published |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for study in (cell for cell in cells if cell["kind"] == "study"):
        name, backbone = study["set"], study["backbone"]
        by_kind = {
            kind: [
                100 * cell["test"]
                for cell in cells
                if (cell["set"], cell["backbone"], cell["kind"]) == (name, backbone, kind)
            ]
            for kind in RUNS
        }
        others = {other: 100 * value for other, value in study["baselines"].items()}
        lines.append(
            f"| {name} | {backbone} | {_shown(by_kind['seed'])} | {_shown(by_kind['refit'])} | "
            f"{_shown(by_kind['default'])} | {others['tfidf_words']:.1f}, "
            f"{others['tfidf_characters']:.1f} | {PUBLISHED[name]} |"
        )
    reads = sorted({cell["sealed_reads"] for cell in cells if cell["kind"] == "study"})
    return [*lines, "", f"sealed reads of the studies: {reads}"]


def _shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    interval = mean_interval(values)
    half = "" if interval is None else f" ± {(interval.high - interval.low) / 2:.1f}"
    return f"{statistics.fmean(values):.1f}{half}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines")
    parser.add_argument("--sets", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES))
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--confirm", default="5:5", metavar="K:SEEDS", help="or none")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument(
        "--set", dest="more", action="append", default=[], metavar="NAME=VALUE", help="setting"
    )
    options = parser.parse_args()

    work, code = options.output.with_suffix(".studies"), code_key()
    lines = JsonLines(options.output, code=code)
    shared = {"trials": options.trials, "confirm": options.confirm, "more": options.more}

    for backbone in options.backbones:
        for name in options.sets:
            folder = prepare_folder(name, options.data, work)
            settings = settings_for(name, backbone, folder, options.more)
            key = {"set": name, "backbone": backbone, **shared, "code": code}
            found = lines.obtain(
                {**key, "kind": "study"},
                lambda key=key, settings=settings: study_cell(key, settings, work / "runs"),
            )
            tuned = apply_params(settings, found["params"])
            default = apply_params(settings, default_params(settings, distributions(settings)))
            for kind, seed in itertools.product(RUNS, range(options.seeds)):
                run = {**key, "kind": kind, "seed": seed}
                chosen = default if kind == "default" else tuned
                lines.obtain(
                    run, lambda run=run, chosen=chosen: run_cell(run, chosen, work / "runs")
                )
    rows = [row for row in lines.rows if shared.items() <= row.items()]
    print("\n".join(summary(rows)))


if __name__ == "__main__":
    main()
