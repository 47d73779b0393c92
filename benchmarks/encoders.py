"""Pretrained encoders: rows a second beside the bound, and trials against the plain loop.

    python benchmarks/encoders.py OUTPUT.jsonl --part speed probe loop search

Every finished cell is a line of OUTPUT; a second call goes on where the first one stopped. The
plain loop is what one writes with KerasHub's backbone and Keras: for every configuration a fresh
model from the same weights, a mean and a dense layer on it, five epochs with the encoder frozen,
three with the lowest groups frozen, the best epoch by validation kept, no cache. Neither side has
a study around it. Both get the same rows, pieces, batches, epochs, schedules, clipping and rates,
but that the plain loop's head has the encoder's rate in phase two; in turns, in one process.

Our prefix is kept beside OUTPUT. For `probe` it is empty at the start, so that the first
configuration pays for it; for `loop` each depth is computed before, by a process of its own and as
a cell of its own. `prefix` in a row says whether the run has found it (warm) or made it (cold).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from code_key import code_key
from json_lines import JsonLines
from side_by_side import in_a_new_process

from tuner.config import Settings
from tuner.models import open_checkpoint
from tuner.persist import Cache
from tuner.records import TrialSeeds
from tuner.training.encoder import EncoderData, EncoderTexts, LabelledRows, fit_encoder
from tuner.training.encoder.adam import CLIP_NORM
from tuner.training.encoder.program import encoder_program
from tuner.training.encoder.step import MicroBatch, StepNumbers

ROOT = Path(__file__).resolve().parent.parent
REVIEWS = ROOT / "studies" / "quickstart" / "reviews.csv.gz"
N_TRAIN, N_VALIDATION = 600, 150


class Cells(JsonLines):
    """Finished cells in a file, one JSON object a line."""

    def measure(self, cell: list, measure) -> dict:
        return self.obtain({"cell": cell}, lambda: {**measure(), "load": os.getloadavg()[0]})


def read_reviews(n: int) -> tuple[list[str], list[str]]:
    with gzip.open(REVIEWS, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # Long ones first, so that 64 pieces are 64 pieces.
    chosen = sorted(rows, key=lambda row: -len(row["content"]))[: 2 * n]
    random.Random(0).shuffle(chosen)
    return [row["content"] for row in chosen[:n]], [row["sentiment"] for row in chosen[:n]]


def settings_for(backbone: str, tokens: int, **training) -> Settings:
    return Settings.model_validate(
        {
            "model": {"backbone": backbone, "encoder_dropout": 0.1, "dropout": 0.1},
            "features": {"max_tokens": tokens},
            "training": {"patience": 99, "steps_per_epoch_min": 1, **training},
        }
    )


def data_for(settings: Settings, n: int, cache: Cache) -> EncoderData:
    texts, labels = read_reviews(n)
    checkpoint = open_checkpoint(settings.model)
    pieces = checkpoint.encode(texts, max_tokens=settings.features.max_tokens)
    classes = tuple(sorted(set(labels)))
    numbers = np.array([classes.index(label) for label in labels], np.int32)
    ends = (0, N_TRAIN * n // 1000, (N_TRAIN + N_VALIDATION) * n // 1000, n)
    parts = [LabelledRows(np.arange(a, b), numbers[a:b]) for a, b in itertools.pairwise(ends)]
    return EncoderData(EncoderTexts(checkpoint, pieces), *parts, classes, cache)


# -- rows a second ------------------------------------------------------------------------------


def gigaflops_a_row(architecture, length: int, *, groups: int | None = None) -> float:
    """Products of a forward pass: 2 (4 w² + 2 w f) a piece and block, 4 w length² of attention."""
    width, inner = architecture.width, architecture.feed_forward_width
    blocks = [b for group in architecture.groups[-(groups or len(architecture.groups)) :]
              for b in group]  # fmt: skip
    a_block = 2 * length * (4 * width**2 + 2 * width * inner) + 4 * length**2 * width
    return len(blocks) * a_block / 1e9


def seconds_in_turns(runs: dict, *, rounds: int = 7) -> dict[str, list[float]]:
    """Time each of some calls once a round, after a call that compiles."""
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def plain_product(width: int, inner: int, *, repeats: int = 40):
    """TensorFlow's own product of the shape that dominates: the bound."""
    import tensorflow as tf

    a, b = tf.random.normal((1024, width)), tf.random.normal((width, inner))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(a, b)))
    return lambda: [product().numpy() for _ in range(repeats)]


def measure_speed(backbone: str, length: int, precision: str) -> dict:
    settings = settings_for(backbone, length, precision=precision)
    checkpoint = open_checkpoint(settings.model)
    program = encoder_program(
        checkpoint, n_classes=2, model=settings.model, training=settings.training
    )
    generator = np.random.default_rng(0)
    texts, _ = read_reviews(64)
    encoded = EncoderTexts(checkpoint, checkpoint.encode(texts, max_tokens=length))
    program.reset(encoded, seed=0)
    rows = 1024 // length
    ids = generator.integers(0, len(encoded.vocabulary), (rows, length)).astype(np.int32)
    lengths = np.full(rows, length, np.int32)
    part = MicroBatch(ids, lengths, np.zeros(rows, np.int32))
    numbers = StepNumbers(
        rates=np.zeros(program.n_groups + 1, np.float32), l1=0.0, l2=0.0, l2_sp=0.0, dropout=0.1,
        encoder_dropout=0.1, label_smoothing=0.0, focal_gamma=0.0,
        class_weights=np.ones(2, np.float32),
    )  # fmt: skip
    program.begin_phase(cut=0, anchored=False)
    width, inner = checkpoint.architecture.width, checkpoint.architecture.feed_forward_width
    seconds = seconds_in_turns(
        {
            "forward": lambda: program.passes.frozen(ids, lengths, 0, program.n_groups),
            "step": lambda: program.step(
                [part], cut=0, numbers=numbers, factor=1.0, seed=1, stop_requested=lambda: None
            ),
            "product": plain_product(width, inner),
        }
    )
    work = rows * gigaflops_a_row(checkpoint.architecture, length)
    bound = [40 * 2 * 1024 * width * inner / 1e9 / each for each in seconds["product"]]
    return {
        "forward_rows_per_second": rows / min(seconds["forward"]),
        "step_rows_per_second": rows / min(seconds["step"]),
        "bound_gigaflops": max(bound),
        "forward_share_of_bound": _median_share(work, seconds["forward"], bound),
        "step_share_of_bound": _median_share(3 * work, seconds["step"], bound),
    }


def _median_share(work: float, seconds: list[float], bound: list[float]) -> float:
    return statistics.median(
        work / each / speed for each, speed in zip(seconds, bound, strict=True)
    )


# -- the plain loop -----------------------------------------------------------------------------


def keras_hub_backbone(checkpoint, words: np.ndarray):
    """A fresh KerasHub model with the checkpoint's weights."""
    import keras_hub

    about, weights = checkpoint.architecture, checkpoint.weights
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(words), num_layers=about.n_blocks, num_heads=about.n_heads,
        hidden_dim=about.width, intermediate_dim=about.feed_forward_width, dropout=0.1,
        max_sequence_length=about.n_positions,
    )  # fmt: skip
    backbone.token_embedding.embeddings.assign(words)
    backbone.position_embedding.position_embeddings.assign(weights["embedding/position"])
    backbone.segment_embedding.embeddings.assign(np.zeros((2, about.width)))
    backbone.embeddings_layer_norm.gamma.assign(weights["embedding/norm/scale"])
    backbone.embeddings_layer_norm.beta.assign(weights["embedding/norm/offset"])
    for number, layer in enumerate(backbone.transformer_layers):
        name, attention = f"block_{number}", layer._self_attention_layer
        kernels = np.split(weights[f"{name}/attention/kernel"], 3, axis=1)
        biases = np.split(weights[f"{name}/attention/bias"], 3)
        denses = (attention.query_dense, attention.key_dense, attention.value_dense)
        for dense, kernel, bias in zip(denses, kernels, biases, strict=True):
            dense.kernel.assign(kernel.reshape(dense.kernel.shape))
            dense.bias.assign(bias.reshape(dense.bias.shape))
        output = attention.output_dense
        output.kernel.assign(weights[f"{name}/output/kernel"].reshape(output.kernel.shape))
        output.bias.assign(weights[f"{name}/output/bias"])
        for part, ours in (
            (layer._self_attention_layer_norm, "attention_norm"),
            (layer._feedforward_layer_norm, "output_norm"),
        ):
            part.gamma.assign(weights[f"{name}/{ours}/scale"])
            part.beta.assign(weights[f"{name}/{ours}/offset"])
        for part, ours in (
            (layer._feedforward_intermediate_dense, "expand"),
            (layer._feedforward_output_dense, "contract"),
        ):
            part.kernel.assign(weights[f"{name}/{ours}/kernel"])
            part.bias.assign(weights[f"{name}/{ours}/bias"])
    return backbone


def schedule(rate: float, steps: int, warmup: float):
    """Rise over a share of the steps, then fall to 0, as our own rates do."""
    import keras
    import tensorflow as tf

    class RiseAndFall(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            done = tf.cast(step, tf.float32) / steps
            fall = 1.0 - (done - warmup) / (1.0 - warmup)
            if not warmup:
                return rate * fall
            rise = tf.minimum(1.0, (done + 1.0 / steps) / warmup)
            return rate * tf.where(done < warmup, rise, fall)

    return RiseAndFall()


def run_plain(settings: Settings, data: EncoderData) -> float:
    """Run one configuration as the plain loop does, and give its selection macro-F1."""
    import keras
    from best_weights import BestWeights, macro_f1

    keras.backend.clear_session()
    training, texts = settings.training, data.texts
    backbone = keras_hub_backbone(texts.checkpoint, texts.checkpoint.read_words(texts.vocabulary))
    tokens = backbone.output["sequence_output"]
    mask = backbone.input["padding_mask"]
    pooled = keras.layers.GlobalAveragePooling1D()(tokens, mask=mask)
    hidden = keras.layers.Dropout(settings.model.dropout)(pooled)
    logits = keras.layers.Dense(len(data.classes))(hidden)
    model = keras.Model(backbone.input, logits)
    length = settings.features.max_tokens

    def inputs(part: LabelledRows) -> dict:
        ids = texts.padded(texts.compact, part.rows, length)
        is_piece = np.arange(length)[None] < texts.lengths(part.rows)[:, None]
        return {
            "token_ids": ids,
            "segment_ids": np.zeros_like(ids),
            "padding_mask": is_piece.astype(np.int32),
        }

    def fit(rate: float, epochs: int, batch_size: int, warmup: float) -> None:
        steps = epochs * -(-len(data.train.labels) // batch_size)
        model.compile(
            keras.optimizers.Adam(schedule(rate, steps, warmup), global_clipnorm=CLIP_NORM),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(
            inputs(data.train), data.train.labels, batch_size=batch_size, epochs=epochs,
            callbacks=[best], verbose=0,
        )  # fmt: skip
        model.set_weights(best.weights)

    best = BestWeights(model, inputs(data.validation), data.validation.labels)
    backbone.trainable = False
    fit(training.learning_rate, training.epochs, training.batch_size, 0.0)
    if training.fine_tune_epochs:
        backbone.trainable = True
        embedding = (backbone.token_embedding, backbone.position_embedding,
                     backbone.segment_embedding, backbone.embeddings_layer_norm)  # fmt: skip
        groups = [embedding, *((layer,) for layer in backbone.transformer_layers)]
        for group in groups[: settings.model.frozen_depth]:
            for layer in group:
                layer.trainable = False
        fit(
            training.encoder_learning_rate,
            training.fine_tune_epochs,
            training.encoder_batch_size,
            training.warmup,
        )
    return macro_f1(model, inputs(data.selection), data.selection.labels)


def run_ours(settings: Settings, data: EncoderData) -> float:
    outcome = fit_encoder(
        settings, data, seeds=TrialSeeds(1, 2, 3), report=lambda **_: None,
        stop_requested=lambda: None,
    )  # fmt: skip
    return outcome.selection.value("macro_f1")


def timed(run, settings: Settings, data: EncoderData, cache: Path) -> dict:
    before = entries(cache)
    started = time.perf_counter()
    macro_f1 = run(settings, data)
    seconds = time.perf_counter() - started
    found = {"seconds": seconds, "macro_f1": macro_f1}
    return found if run is run_plain else found | {"prefix": state(before, entries(cache))}


def entries(cache: Path) -> set[Path]:
    return set((cache / "prefix").glob("*.arrays"))


def state(before: set[Path], after: set[Path]) -> str:
    return "cold" if after - before else "warm"


def measure_warming(backbone: str, arguments, depth: int, cache: Path) -> dict:
    """Compute the prefix up to a depth, by the shortest trial that needs it."""
    warm = settings_for(backbone, arguments.tokens, epochs=1, fine_tune_epochs=1)
    model = warm.model.model_copy(update={"frozen_depth": depth})
    data = data_for(warm, arguments.rows, Cache(cache))
    return timed(run_ours, warm.model_copy(update={"model": model}), data, cache)


def measure_side(
    run, backbone: str, arguments, *, fine_tune_epochs: int, precision: str, cell: list
) -> dict:
    number, depth, cache = cell
    settings = settings_for(
        backbone, arguments.tokens, fine_tune_epochs=fine_tune_epochs, precision=precision,
        learning_rate=0.001 * (1 + number % 5), encoder_learning_rate=2e-5 * (1 + number % 3),
    )  # fmt: skip
    model = settings.model.model_copy(update={"frozen_depth": depth})
    return timed(
        run, settings.model_copy(update={"model": model}),
        data_for(settings, arguments.rows, Cache(cache)), cache,
    )  # fmt: skip


def compare(name: str, backbone: str, arguments, cells: Cells, *, fine_tune_epochs: int) -> None:
    n_groups = len(open_checkpoint(settings_for(backbone, 8).model).architecture.group_names)
    n = arguments.configurations
    depths = [round(i * n_groups / max(1, n - 1)) for i in range(n)]
    if fine_tune_epochs == 0:
        depths = [n_groups] * n
    shape = [arguments.rows, arguments.tokens]
    precision = arguments.precision
    ours = "ours" if precision == "float32" else f"ours {precision}"
    sides = {"plain": (run_plain, "float32"), ours: (run_ours, precision)}
    found: dict[str, list[float]] = {side: [] for side in sides}
    scores: dict[str, list[float]] = {side: [] for side in sides}
    states: list[str] = []
    cache = (arguments.cache or arguments.output.with_suffix(".cache")) / "-".join(
        map(str, [name, backbone.replace("/", "_"), *shape, ours.replace(" ", "_")])
    )
    if not any(cells.having(cell=[name, backbone, *shape, ours, 0, d]) for d in depths):
        shutil.rmtree(cache, ignore_errors=True)
    # The prefix is part of neither side's trials; what it costs once is a cell of its own. What
    # compiling costs stays in the trials.
    for depth in sorted(set(depths)) if fine_tune_epochs else []:
        cells.measure(
            [name, backbone, *shape, "warming", ours, depth],
            lambda depth=depth: in_a_new_process(
                measure_warming, backbone, arguments, depth, cache
            ),
        )
    for number, depth in enumerate(depths):
        for side, (run, its_precision) in sides.items():
            row = cells.measure(
                [name, backbone, *shape, side, number, depth],
                lambda run=run, number=number, depth=depth, precision=its_precision: measure_side(
                    run, backbone, arguments, fine_tune_epochs=fine_tune_epochs,
                    precision=precision, cell=[number, depth, cache],
                ),
            )  # fmt: skip
            found[side].append(row["seconds"])
            scores[side].append(row["macro_f1"])
            states += [row["prefix"]] if side == ours else []
    plain, mine = found["plain"], found[ours]
    ratios = [a / b for a, b in zip(plain, mine, strict=True)]
    print(
        f"{name} {backbone}: plain {sum(plain):.1f} s, {ours} {sum(mine):.1f} s "
        f"(prefix {', '.join(states)}), "
        f"ratio {sum(plain) / sum(mine):.1f}; "
        f"median of the ratios {statistics.median(ratios):.1f}; "
        f"mean macro-F1: plain {statistics.fmean(scores['plain']):.3f}, "
        f"{ours} {statistics.fmean(scores[ours]):.3f}"
    )


# -- a whole search -----------------------------------------------------------------------------


def measure_search(backbone: str, arguments) -> dict:
    """20 trials of the real command, the prefix once cold and once warm."""
    texts, labels = read_reviews(arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "reviews.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        seconds = []
        for name in ("cold", "warm"):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "tuner.optimize", "--data", str(table), "--trials",
                 str(arguments.trials), "--confirm", "none", "--study-name", name,
                 "--set", f"model.backbone={backbone}",
                 "--set", f"training.precision={arguments.precision}",
                 "--set", f"features.max_tokens={arguments.tokens}"],
                cwd=folder, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            seconds.append(time.perf_counter() - started)
        kept = sum(path.stat().st_size for path in Path(folder).rglob("cache/**/*.arrays"))
        weights = sum(path.stat().st_size for path in Path(folder).rglob("warm/blobs/*.blob"))
        best = json.loads((Path(folder) / "runs/warm/best_params.json").read_text("utf-8"))
    return {
        "cold_seconds": seconds[0],
        "warm_seconds": seconds[1],
        "cache_bytes": kept,
        "weights_bytes": weights,
        "selection": best["objective"]["value"],
        "test": best["test"]["macro_f1"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--part", nargs="+", default=["speed", "probe", "loop", "search"])
    parser.add_argument("--backbone", nargs="+", default=["minilm", "e5-small"])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--configurations", type=int, default=10)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument(
        "--precision", default="float32", help="of our side; the plain loop's is float32"
    )
    parser.add_argument("--cache", type=Path, help="of our prefix; beside OUTPUT without it")
    arguments = parser.parse_args()
    cells = Cells(arguments.output, code=code_key())
    print(platform.processor() or platform.machine(), os.cpu_count(), "cores")
    for backbone in arguments.backbone:
        if "speed" in arguments.part:
            for length in (16, 64, 256):
                for precision in ("float32", "bfloat16"):
                    cells.measure(
                        ["speed", backbone, length, precision],
                        lambda b=backbone, n=length, p=precision: measure_speed(b, n, p),
                    )
        if "probe" in arguments.part:
            compare("probe", backbone, arguments, cells, fine_tune_epochs=0)
        if "loop" in arguments.part:
            compare("loop", backbone, arguments, cells, fine_tune_epochs=3)
        if "search" in arguments.part:
            cells.measure(
                ["search", backbone, arguments.rows, arguments.tokens, arguments.trials,
                 arguments.precision],
                lambda b=backbone: measure_search(b, arguments),
            )  # fmt: skip


if __name__ == "__main__":
    main()
