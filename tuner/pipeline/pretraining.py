"""The straight line of a pretraining: corpus, pieces, training, a folder that a study can name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tuner.config import digest
from tuner.errors import ConfigError, DataError
from tuner.persist import (
    Cache,
    disk_errors,
    pack_arrays,
    unpack_arrays,
    write_bytes,
    write_json,
)
from tuner.pipeline.corpus_pieces import CorpusPieces, obtain_pieces
from tuner.records import StopRequested
from tuner.seeds import Stream, derive_seed

if TYPE_CHECKING:
    from tuner.models.pretrained import Architecture
    from tuner.training.masked_language import Evaluation, Pretrained

__all__ = ["ABOUT", "Pretraining", "run_pretraining", "state_folder"]

ABOUT = "pretraining.json"
_STATE = "state.npz"
_PACKAGES = ("keras_hub", "safetensors", "tokenizers")
_NOT_IN_IDENTITY = ("corpus", "minutes")


@dataclass(frozen=True, slots=True)
class Pretraining:
    """What was asked for; `steps` None takes as many as `epochs` have."""

    corpus: str
    text: tuple[str, ...]
    layers: int
    width: int
    heads: int
    length: int
    vocabulary: int
    epochs: int
    steps: int | None
    batch_size: int
    learning_rate: float
    minutes: float | None
    seed: int

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        if self.width % self.heads:
            raise ConfigError(
                "--heads must divide --width, since the heads share it evenly; got "
                f"{self.heads} heads and a width of {self.width}."
            )


def state_folder(output: Path) -> Path:
    """Give the folder beside the output in which an unfinished pretraining lies."""
    return output.with_name(f"{output.name}.unfinished")


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
    identity = digest([_corpus_digest(asked.corpus), _settings_of(asked)])
    if output.exists():
        return _finished(output, identity)
    state = state_folder(output)
    with _locked(state, output):
        _claim(state, identity, output)
        try:
            about = _train(asked, output, state, identity, say, watch, stop_requested)
        except (ConfigError, DataError):
            if not (state / _STATE).exists():  # nothing that could go on
                shutil.rmtree(state, ignore_errors=True)
            raise
        shutil.rmtree(state, ignore_errors=True)
    return about


@contextmanager
def _locked(state: Path, output: Path) -> Iterator[None]:
    """Make the state's folder and hold it against other processes."""
    with disk_errors(state):
        state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(state / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"--output must be of no other process; one is at work on {output}."
            ) from error
    try:
        yield
    finally:
        lock.release()


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
    trained = _fit(asked, pieces, state, watch, stop_requested)
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
        memory=_FileMemory(state / _STATE),
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


@dataclass(frozen=True, slots=True)
class _FileMemory:
    """Keeps the state of a training in one file."""

    path: Path

    def load(self) -> dict[str, Any] | None:
        try:
            return unpack_arrays(self.path.read_bytes())
        except FileNotFoundError:
            return None

    def save(self, state: Mapping[str, Any]) -> None:
        write_bytes(self.path, pack_arrays(state))


def _settings_of(asked: Pretraining) -> dict[str, Any]:
    """Give what decides about the result."""
    return {name: value for name, value in asdict(asked).items() if name not in _NOT_IN_IDENTITY}


def _corpus_digest(corpus: str) -> str:
    """Identify a corpus: a file by its content, a folder or a database by its name."""
    path = Path(corpus)
    if "://" in corpus or path.is_dir():
        return digest(corpus)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{corpus}: no such file.") from error
    except OSError as error:
        raise DataError(f"{corpus}: cannot be read: {error.strerror}.") from error


def _finished(output: Path, identity: str) -> Mapping[str, Any]:
    """Give what a finished pretraining says of itself, if it is the one that is asked for."""
    about: Any = None
    with suppress(OSError, ValueError):
        about = json.loads((output / ABOUT).read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("identity") != identity:
        raise ConfigError(
            "--output must be a folder that is not there yet, or was made by this same command; "
            f"{output} was not."
        )
    return {**about, "was_finished": True}


def _claim(state: Path, identity: str, output: Path) -> None:
    """Take the state's folder for this pretraining, or refuse one that holds another's."""
    path = state / "identity.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        write_json(path, identity)
        return
    except (OSError, ValueError):
        found = None
    if found != identity:
        raise ConfigError(
            f"--output: {state} holds an unfinished pretraining with another corpus or other "
            f"settings; continue it with its own, remove it, or name another folder than {output}."
        )
