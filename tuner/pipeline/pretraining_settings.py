"""What a pretraining was asked for, and what identifies it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tuner.config import digest, file_digest
from tuner.errors import ConfigError, DataError

__all__ = ["Pretraining"]

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

    def identity(self) -> str:
        """Digest what decides about the result: the corpus and most of the settings.

        Raises
        ------
        DataError
            If the corpus cannot be read.
        """
        settings = {
            name: value for name, value in asdict(self).items() if name not in _NOT_IN_IDENTITY
        }
        return digest([_corpus_digest(self.corpus), settings])


def _corpus_digest(corpus: str) -> str:
    """Identify a corpus: a file by its content, a folder by its files', a database by its URL."""
    path = Path(corpus)
    if "://" in corpus:
        return digest(corpus)
    try:
        return _folder_digest(path) if path.is_dir() else file_digest(path)
    except FileNotFoundError as error:
        raise DataError(f"{corpus}: no such file.") from error
    except OSError as error:
        raise DataError(f"{corpus}: cannot be read: {error.strerror}.") from error


def _folder_digest(folder: Path) -> str:
    """Digest names and contents of all files that are not hidden."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return digest(
        [
            [name.as_posix(), file_digest(path)]
            for name, path in sorted(files.items())
            if not any(part.startswith(".") for part in name.parts)
        ]
    )
