"""Preparing texts: cold and warm against the same steps as a plain pandas `apply`; peak memory.

    python benchmarks/preprocessing.py --output runs/bench

Texts are windows of the reviews of the quick start. Each measurement is a process of its own, in
the order plain, cold, warm, plain, cold, warm, so that a busy machine slows all alike; figures are
medians of the rounds. A case that is in the results already is not measured again.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tuner.config import Settings, load_settings
from tuner.corpus import read_table
from tuner.persist import Cache
from tuner.pipeline.stages import Stages

ROUNDS = 3
SPEED = ((20_000, 50, "characters"), (20_000, 50, "jieba"), (100, 10_000, "jieba"))
SHORT_DOCUMENTS = 1_000_000
SHORT_CHARACTERS = 12


def texts_of(n: int, n_characters: int) -> list[str]:
    """Cut n texts of a length from the reviews, running on where they end."""
    data = load_settings("quickstart").data
    table = read_table(str(data.path), data)
    reviews = [str(row.cells[table.text[0]]) for row in table.rows]
    random.Random(0).shuffle(reviews)
    source = "，".join(reviews)
    generator = random.Random(n)
    starts = (generator.randrange(len(source) - n_characters) for _ in range(n))
    return [source[start : start + n_characters] for start in starts]


def settings_of(segmenter: str) -> Settings:
    return load_settings(overrides=[("preprocess.segmenter", segmenter)])


def with_pairs(tokens: list[str]) -> list[str]:
    out = tokens[:1]
    for first, second in pairwise(tokens):
        out += (f"{first}\x1f{second}", second)
    return out


def ids_of(row: list[str], vocabulary: dict[str, int]) -> list[int]:
    """Give the ids of a text; a pair that is not known leaves no trace."""
    known = [vocabulary.get(token, 0 if "\x1f" in token else 1) for token in row]
    return [number for number in known if number] or [1]


def plain(texts: list[str], settings: Settings) -> int:
    """The same steps as everybody writes them: one `apply` after another, lists of tokens."""
    from collections import Counter

    import pandas as pd

    from tuner.preprocess import normalize, segmenter

    cut = segmenter(settings.preprocess.segmenter)
    series = pd.Series(texts)
    cleaned = series.apply(lambda text: normalize(text, settings.preprocess))
    tokens = cleaned.apply(cut)
    pairs = tokens.apply(with_pairs)
    counts: Counter[str] = Counter()
    pairs.apply(lambda row: counts.update(set(row)))
    frequent = [
        (-n, token.count("\x1f"), token)
        for token, n in counts.items()
        if n >= (2 if "\x1f" in token else 1)
    ]
    size = settings.features.vocabulary_size - 2
    vocabulary = {token: n for n, (*_, token) in enumerate(sorted(frequent)[:size], start=2)}
    ids = pairs.apply(lambda row: ids_of(row, vocabulary))
    return int(ids.apply(sum).sum())


def staged(texts: list[str], settings: Settings, cache: Path) -> int:
    stages = Stages(texts, Cache(cache), processes=os.cpu_count() or 1)
    whole = {"length_percentile": 100.0, "max_tokens": 100_000}
    features = settings.features.model_copy(update=whole)
    _, parts = stages.features(
        settings.preprocess, features, {"train": stages.given}, ngrams=2, subwords=None
    )
    return int(parts["train"].flat.sum())


def cpu_seconds() -> float:
    """Give the processor time of this process and of the children it has waited for."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one measurement in this process: seconds, and peak memory of it and its children."""
    texts = texts_of(arguments.documents, arguments.characters)
    settings = settings_of(arguments.segmenter)
    # Loading code is no part of the time; of the memory it is, of who needs it.
    for package in ("tuner.preprocess", *(["pandas"] if arguments.kind == "plain" else [])):
        importlib.import_module(package)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), cpu_seconds()
    if arguments.kind == "plain":
        checksum = plain(texts, settings)
    else:
        checksum = staged(texts, settings, arguments.cache)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - used,
        "checksum": checksum,
        "texts_mib": before / 1024,
        "peak_mib": peak / 1024,
        "largest_child_mib": children / 1024,
    }


def in_a_process(kind: str, **case: Any) -> dict[str, Any]:
    line = [sys.executable, __file__, "--kind", kind]
    for name, value in case.items():
        line += [f"--{name}", str(value)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(case: dict[str, Any], rounds: int, scratch: Path | None) -> dict[str, Any]:
    """Measure plain, cold and warm in turns."""
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "cold": [], "warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=scratch) as cache:
            for kind, results in found.items():
                results.append(in_a_process(kind, cache=cache, **case))
                print(case, kind, results[-1], file=sys.stderr)
    if len({result["checksum"] for results in found.values() for result in results}) != 1:
        raise SystemExit(f"{case}: the ids differ, so the times do not compare")
    rate = {
        kind: case["documents"] / statistics.median(result["seconds"] for result in results)
        for kind, results in found.items()
    }
    return {
        **case,
        "cpu_seconds": {
            kind: round(statistics.median(result["cpu_seconds"] for result in results), 2)
            for kind, results in found.items()
        },
        "documents_a_second": {kind: round(value) for kind, value in rate.items()},
        "cold_over_plain": round(rate["cold"] / rate["plain"], 2),
        "warm_over_plain": round(rate["warm"] / rate["plain"], 1),
        "peak_mib": {
            kind: round(statistics.median(result["peak_mib"] for result in results))
            for kind, results in found.items()
        },
        "texts_mib": round(found["cold"][0]["texts_mib"]),
        "largest_child_mib": round(max(r["largest_child_mib"] for r in found["cold"])),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    parser.add_argument("--scratch", type=Path, help="Where caches are made and removed.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=("speed", "memory"))
    parser.add_argument("--kind", choices=("plain", "cold", "warm"), help=argparse.SUPPRESS)
    parser.add_argument("--documents", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--characters", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--segmenter", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        print(json.dumps(measure(arguments)))
        return
    # Here alone: what it loads would count as memory of the measurement.
    from side_by_side import Lines, machine

    lines = Lines(arguments.output / "preprocessing.jsonl")
    cases = [
        *((n, length, segmenter, arguments.rounds) for n, length, segmenter in SPEED),
        (SHORT_DOCUMENTS, SHORT_CHARACTERS, "characters", 1),
    ]
    chosen = {"speed": cases[:-1], "memory": cases[-1:]}.get(arguments.only, cases)
    for n, length, segmenter, rounds in chosen:
        case = {"documents": n, "characters": length, "segmenter": segmenter}
        if not lines.having(**case, rounds=rounds):
            lines.add({**compare(case, rounds, arguments.scratch), "machine": machine()})


if __name__ == "__main__":
    main()
