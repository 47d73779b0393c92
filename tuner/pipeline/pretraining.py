"""The straight line of a pretraining: corpus, pieces, training, a folder that a study can name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import ConfigError, DataError
from tuner.persist import Cache, disk_errors, write_json
from tuner.pipeline.corpus_pieces import CorpusPieces, obtain_pieces
from tuner.pipeline.pretraining_settings import Pretraining
from tuner.pipeline.pretraining_state import (
    ABOUT,
    FileMemory,
    claim,
    finished,
    locked,
    state_folder,
)
from tuner.records import StopRequested
from tuner.seeds import Stream, derive_seed

if TYPE_CHECKING:
    from tuner.models.pretrained import Architecture
    from tuner.training.masked_language import Evaluation, Pretrained

__all__ = ["run_pretraining"]

_STATE = "state.npz"
_PACKAGES = ("keras_hub", "safetensors", "tokenizers")


def run_pretraining(
    asked: Pretraining,
    output: Path,
    *,
    say: Callable[[str], None],
    watch: Callable[[Evaluation, int], None],
    stop_requested: StopRequested,
) -> Mapping[str, Any]:
    """Pretrain an encoder and write it as a Hugging Face folder; go on where it was stopped.

    Parameters
    ----------
    output
        Folder to write; it appears when it is whole. Until then all lies in `state_folder`.
    say
        Hears what begins.
    watch
        Hears each look at the held-out texts, and how many steps there are in all.

    Returns
    -------
    mapping
        What `pretraining.json` in the folder holds.

    Raises
    ------
    ConfigError
        If the folder or the unfinished state is of something else, another process is at it, or
        a package is missing.
    DataError
        If the corpus cannot be used.
    """
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"pretrain needs {', '.join(missing)}, not installed: pip install 'tuner[pretrained]'."
        )
    identity = asked.identity()
    if output.exists():
        return finished(output, identity)
    state = state_folder(output)
    with locked(state, output):
        claim(state, identity, output)
        try:
            about = _train(asked, output, state, identity, say, watch, stop_requested)
        except (ConfigError, DataError):
            if not (state / _STATE).exists():  # nothing that could go on
                shutil.rmtree(state, ignore_errors=True)
            raise
        shutil.rmtree(state, ignore_errors=True)
    return about


def _train(
    asked: Pretraining,
    output: Path,
    state: Path,
    identity: str,
    say: Callable[[str], None],
    watch: Callable[[Evaluation, int], None],
    stop_requested: StopRequested,
) -> Mapping[str, Any]:
    say(f"{asked.corpus}: cutting into pieces")
    pieces = obtain_pieces(
        asked.corpus,
        asked.text,
        vocabulary_size=asked.vocabulary,
        length=asked.length,
        cache=Cache(state),
        key=identity,
        stop_requested=stop_requested,
    )
    counts = {
        "sequences": len(pieces.train),
        "held_out_sequences": len(pieces.held_out),
        "pieces": int(pieces.train.ends[-1]),
        "vocabulary": len(pieces.vocabulary),
    }
    say(
        f"{counts['sequences']:,} sequences of {counts['pieces']:,} pieces to train on, "
        f"{counts['held_out_sequences']:,} held out, {counts['vocabulary']:,} different pieces"
    )
    trained = _fit(asked, pieces, state, say, watch, stop_requested)
    first, last = trained.evaluations[0], trained.evaluations[-1]
    about = {
        "identity": identity,
        "settings": {**asdict(asked), "corpus": Path(asked.corpus).name},
        "corpus": counts,
        "steps": last.step,
        "seconds": round(last.seconds, 3),
        "held_out": {
            "loss_at_start": first.loss,
            "loss": last.loss,
            "accuracy": last.accuracy,
        },
    }
    _write_folder(asked, output, state, pieces, trained, about)
    return about


def _architecture(asked: Pretraining) -> Architecture:
    from tuner.training.masked_language import bert_architecture

    return bert_architecture(
        layers=asked.layers, width=asked.width, heads=asked.heads, length=asked.length
    )


def _fit(
    asked: Pretraining,
    pieces: CorpusPieces,
    state: Path,
    say: Callable[[str], None],
    watch: Callable[[Evaluation, int], None],
    stop_requested: StopRequested,
) -> Pretrained:
    from tuner.training.masked_language import Budget, pretrain

    return pretrain(
        pieces.train,
        pieces.held_out,
        _architecture(asked),
        Budget(
            epochs=asked.epochs,
            steps=asked.steps,
            minutes=asked.minutes,
            batch_size=asked.batch_size,
            learning_rate=asked.learning_rate,
        ),
        seeds=(
            derive_seed(asked.seed, 0, Stream.WEIGHTS),
            derive_seed(asked.seed, 0, Stream.ORDER),
            derive_seed(asked.seed, 0, Stream.MASKING),
        ),
        memory=FileMemory(state / _STATE, say),
        watch=watch,
        stop_requested=stop_requested,
    )


def _write_folder(
    asked: Pretraining,
    output: Path,
    state: Path,
    pieces: CorpusPieces,
    trained: Pretrained,
    about: Mapping[str, Any],
) -> None:
    """Write the encoder within the state's folder, then give it its name."""
    from tuner.models.pretrained.bert_folder import write_bert_folder

    fresh = state / "encoder"
    with disk_errors(fresh):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        write_bert_folder(
            fresh,
            _architecture(asked),
            pieces.vocabulary,
            trained.weights,
            seed=derive_seed(asked.seed, 1, Stream.WEIGHTS),
        )
        write_json(fresh / ABOUT, about)
        fresh.rename(output)
