"""The honest rival: scikit-learn's HalvingRandomSearchCV over TF-IDF and a linear model.

    python benchmarks/halving.py --study quickstart --minutes 5 --output runs/bench

Both get the same train, validation and selection rows. The rival searches n-grams, counts and cost
by successive halving over the rows, 3-fold, on train and validation together; tuner searches with
its defaults for as long as is asked. Compared on the selection rows, which neither has fitted nor
chosen by: tuner's curve is the selection value of the trial that is best on validation so far, not
the best of many looks at selection. The sealed test stays closed. The curve says which is ahead
after how many seconds: when tuner first is, and from when on it stays so. Each of tuner's searches
has a process of its own, so that it compiles in every seed.
"""

from __future__ import annotations

import argparse
import math
import shutil
import time
from pathlib import Path
from typing import Any

from scipy.stats import loguniform
from side_by_side import Bench, Lines, TunerLoop, in_a_new_process, machine, open_bench
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the next import work
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

SPACE = {
    "tfidfvectorizer__ngram_range": [(1, 1), (1, 2), (1, 3)],
    "tfidfvectorizer__min_df": [1, 2, 3],
    "tfidfvectorizer__sublinear_tf": [True, False],
    "linearsvc__C": loguniform(1e-3, 1e2),
}


def rival(bench: Bench, *, seed: int) -> dict[str, Any]:
    """Search, refit on train and validation, score on selection."""
    tokens = {
        part: bench.pipeline.tokens(bench.prepared.preprocess, part)
        for part in ("train", "validation", "selection")
    }
    labels = {part: [d.label for d in getattr(bench.parts, part)] for part in tokens}
    started = time.perf_counter()
    search = HalvingRandomSearchCV(
        make_pipeline(
            TfidfVectorizer(analyzer="word", tokenizer=str.split, token_pattern=None,
                            lowercase=False),
            LinearSVC(),
        ),
        SPACE, n_candidates=60, factor=3, min_resources=500, cv=3, scoring="f1_macro",
        random_state=seed, n_jobs=-1,
    )  # fmt: skip
    texts = {part: [" ".join(row) for row in rows] for part, rows in tokens.items()}
    search.fit(texts["train"] + texts["validation"], labels["train"] + labels["validation"])
    seconds = time.perf_counter() - started
    predicted = search.predict(texts["selection"])
    value = f1_score(labels["selection"], predicted, average="macro")
    return {"who": "halving", "seconds": round(seconds, 1), "selection": round(float(value), 4)}


def own(study: str, folder: Path, seed: int, seconds: float) -> list[list[float]]:
    """Search with tuner's defaults; give seconds and the chosen trial's selection by trials."""
    bench = open_bench(study, folder, [("study.seed", seed)])
    name = f"halving-{study}-{seed}"
    shutil.rmtree(folder / name, ignore_errors=True)
    loop = TunerLoop(bench, folder / name, name)
    best, chosen = -math.inf, 0.0
    curve, started = [], time.perf_counter()
    while time.perf_counter() - started < seconds:
        trial = loop.run_one()
        if trial.value is not None:
            validation = trial.attributes["validation"]["macro_f1"]
            if validation > best:
                best, chosen = validation, trial.value
            curve.append([round(time.perf_counter() - started, 1), round(chosen, 4)])
    return curve


def ahead(curve: list[list[float]], goal: float) -> dict[str, float | None]:
    """Give the seconds until the curve first has the goal, and those from which it keeps it."""
    first = next((seconds for seconds, value in curve if value >= goal), None)
    for_good = None
    for seconds, value in reversed(curve):
        if value < goal:
            break
        for_good = seconds
    return {"first_ahead_seconds": first, "ahead_for_good_seconds": for_good}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="quickstart")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    folder = arguments.output
    lines = Lines(folder / "halving.jsonl")
    for seed in range(arguments.seeds):
        case = {"study": arguments.study, "seed": seed}
        timed = {**case, "who": "tuner", "minutes": arguments.minutes}
        if lines.having(**timed):
            continue
        bench = open_bench(arguments.study, folder, [("study.seed", seed)])
        if not lines.having(**case, who="halving"):
            lines.add({**case, **rival(bench, seed=seed)})
        goal = lines.having(**case, who="halving")[0]["selection"]
        curve = in_a_new_process(own, arguments.study, folder, seed, 60 * arguments.minutes)
        lines.add(
            {**timed, "seconds": curve[-1][0], "selection": curve[-1][1],
             **ahead(curve, goal), "complete_trials": len(curve), "curve": curve,
             "machine": machine()}
        )  # fmt: skip


if __name__ == "__main__":
    main()
