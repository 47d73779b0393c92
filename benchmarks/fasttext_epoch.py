"""One epoch of `average` against fastText's own C++ trainer, one thread each.

    python benchmarks/fasttext_epoch.py --rounds 5 --output runs/bench

Same texts, cut into the same tokens with the same word pairs (as tokens of their own, so that
fastText hashes nothing), same dimension. An epoch of fastText is the difference of a run of
eleven epochs and a run of one, since reading and counting the file come before the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import fasttext
import tensorflow as tf
from side_by_side import QUIET, Bench, Lines, machine, median, open_bench

from tuner.config import apply_params
from tuner.records import TrialSeeds


def write_corpus(bench: Bench, path: Path) -> int:
    """Write train as fastText reads it; give the count of tokens."""
    encoded = bench.prepared.encoded["train"]
    place, n_tokens = 0, 0
    with path.open("w", encoding="utf-8") as file:
        for length, document in zip(encoded.lengths, bench.parts.train, strict=True):
            ids = encoded.flat[place : place + length]
            place += int(length)
            n_tokens += int(length)
            file.write(f"__label__{bench.parts.classes.index(document.label)} ")
            file.write(" ".join(map(str, ids)) + "\n")
    return n_tokens


def fasttext_seconds(path: Path, width: int, epochs: int) -> float:
    started = time.perf_counter()
    fasttext.train_supervised(
        str(path), dim=width, epoch=epochs, thread=1, minCount=1, wordNgrams=1, verbose=0
    )
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    lines = Lines(arguments.output / "fasttext.jsonl")
    if lines.having(rounds=arguments.rounds):
        return
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    bench = open_bench(
        "quickstart", arguments.output, [*QUIET.items(), ("model.backbone", "average")]
    )
    settings = apply_params(bench.settings, {"training.fine_tune_epochs": 0})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        n_tokens = write_corpus(bench, path)
        rows = []
        for turn in range(arguments.rounds + 1):
            outcome = bench.pipeline.run_trial(
                settings, seeds=TrialSeeds(1, 2, 3), report=lambda **_: None,
                stop_requested=lambda: None,
            )  # fmt: skip
            own = outcome.seconds["train"] / settings.training.epochs
            width = settings.model.embedding_width
            other = (fasttext_seconds(path, width, 11) - fasttext_seconds(path, width, 1)) / 10
            if turn:  # the first one compiles
                rows.append((own, other))
    lines.add(
        {"rounds": arguments.rounds, "tokens": n_tokens,
         "tuner_epoch_seconds": median(own for own, _ in rows),
         "fasttext_epoch_seconds": median(other for _, other in rows),
         "tuner_over_fasttext": median(own / other for own, other in rows), "machine": machine()}
    )  # fmt: skip


if __name__ == "__main__":
    main()
