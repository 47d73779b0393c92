"""A trained classifier in a folder: all that a prediction needs, JSON and arrays only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.config import FILE_SETTINGS
from tuner.errors import CheckpointError
from tuner.persist.arrays import pack_arrays, unpack_arrays
from tuner.persist.atomic import replace_folder, write_bytes, write_json

__all__ = ["StoredModel", "read_model", "write_model"]

SCHEMA = 3
_RUNS_SINCE = 2  # n-grams are read as they are now
_USER_FILES = ("dictionary", "stop_words")
CHECKPOINT_FOLDER = "checkpoint"
"""A checkpoint put here in a model folder is taken in place of the one its settings name."""
_RESERVED = ["[PAD]", "[UNK]"]  # tokens 0 and 1 of every vocabulary


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A classifier as stored.

    `settings` are the trial's resolved settings as JSON data; `vocabulary` lists tokens by id;
    `classes` class names by number; `edges` the padded lengths; `about` is free (scores, trial,
    versions). A classifier on a pretrained encoder has a `checkpoint` in place of vocabulary and
    edges: the digest of the checkpoint that the weights belong to, which is not stored again.
    """

    settings: Mapping[str, Any]
    vocabulary: tuple[str, ...]
    ngrams: int
    max_tokens: int
    edges: tuple[int, ...]
    classes: tuple[str, ...]
    weights: Mapping[str, npt.NDArray[np.float32]]
    about: Mapping[str, Any]
    checkpoint: str | None = None
    subwords: tuple[int, int] | None = None


def write_model(folder: Path, model: StoredModel) -> None:
    """Write a model folder, whole or not at all; own word lists are copied into it."""
    settings = json.loads(json.dumps(model.settings))
    with replace_folder(folder) as fresh:
        for key in _USER_FILES:
            value = settings["preprocess"][key]
            shipped = FILE_SETTINGS[f"preprocess.{key}"]  # no file's name, whatever lies there
            if value is not None and value not in shipped and Path(value).is_file():
                shutil.copyfile(value, fresh / f"{key}.txt")
                settings["preprocess"][key] = f"{key}.txt"
        write_json(fresh / "settings.json", settings)
        if model.checkpoint is None:
            write_json(fresh / "vocabulary.json", list(model.vocabulary))
        write_json(fresh / "labels.json", list(model.classes))
        write_bytes(fresh / "weights.npz", pack_arrays(model.weights))
        write_json(
            fresh / "model.json",
            {
                "schema": SCHEMA,
                "ngrams": model.ngrams,
                "subwords": model.subwords,
                "max_tokens": model.max_tokens,
                "edges": list(model.edges),
                "checkpoint": model.checkpoint,
                "about": dict(model.about),
            },
        )


def read_model(folder: Path) -> StoredModel:
    """Read a model folder.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of a later schema; names the folder and what is wrong.
    """
    if not (folder / "model.json").is_file():
        raise CheckpointError(f"{folder}: is no model folder; it has no model.json.")
    try:
        head, settings, labels = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("model.json", "settings.json", "labels.json")
        )
        if head["schema"] > SCHEMA:
            raise CheckpointError(
                f"schema must be at most {SCHEMA}; got {head['schema']}. "
                "It was written by a later version of tuner."
            )
        if head["schema"] < _RUNS_SINCE and head["ngrams"] > 1:
            raise CheckpointError(
                f"schema must be at least {_RUNS_SINCE}; got {head['schema']}. An earlier "
                "version of tuner read texts in another way; run the study again."
            )
        for key in _USER_FILES:
            if settings["preprocess"][key] == f"{key}.txt":
                if not (folder / f"{key}.txt").is_file():
                    raise ValueError(f"{key}.txt is missing")
                settings["preprocess"][key] = str(folder / f"{key}.txt")
        checkpoint = head.get("checkpoint")
        vocabulary = [] if checkpoint is not None else _read_vocabulary(folder)
        _check_names("labels.json", labels, at_least=2)
        if checkpoint is None:
            _check_edges(head["edges"])
        elif (folder / CHECKPOINT_FOLDER).is_dir():
            settings["model"] |= {
                "backbone": "pretrained",
                "checkpoint": str(folder / CHECKPOINT_FOLDER),
            }
        for name in ("ngrams", "max_tokens"):
            if type(head[name]) is not int or head[name] < 1:
                raise ValueError(f"model.json: {name} must be at least 1; got {head[name]!r}")
        return StoredModel(
            settings=settings,
            vocabulary=tuple(vocabulary),
            ngrams=head["ngrams"],
            max_tokens=head["max_tokens"],
            edges=tuple(head["edges"]),
            classes=tuple(labels),
            weights=_finite(unpack_arrays((folder / "weights.npz").read_bytes())),
            about=head["about"],
            checkpoint=checkpoint,
            subwords=_lengths(head.get("subwords")),
        )
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise CheckpointError(f"{folder}: the model folder is damaged: {reason}.") from error


def _read_vocabulary(folder: Path) -> list[str]:
    vocabulary: list[str] = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    _check_names("vocabulary.json", vocabulary, at_least=2)
    if vocabulary[:2] != _RESERVED:
        raise ValueError(
            f"vocabulary.json must begin with {_RESERVED}, the ids 0 and 1; got {vocabulary[:2]}"
        )
    return vocabulary


def _lengths(subwords: Any) -> tuple[int, int] | None:
    """Read which pieces of words are features; folders of before have none."""
    if subwords is None:
        return None
    if (
        not isinstance(subwords, list)
        or [type(length) for length in subwords] != [int, int]
        or not 2 <= subwords[0] <= subwords[1]
    ):
        raise ValueError(
            "model.json: subwords must be two lengths, the shorter first and at least 2; "
            f"got {subwords!r}"
        )
    return subwords[0], subwords[1]


def _check_names(file: str, value: Any, *, at_least: int) -> None:
    """Raise ValueError unless a file lists so many different texts."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{file} must be a list of texts; got {type(value).__name__}")
    if len(value) < at_least:
        raise ValueError(f"{file} must list at least {at_least} names; it has {len(value)}")
    if len(set(value)) < len(value):
        raise ValueError(f"{file} must list every name once, since its place is its number")


def _check_edges(edges: Any) -> None:
    if not isinstance(edges, list) or not all(type(edge) is int for edge in edges):
        raise ValueError(f"model.json: edges must be a list of integers; got {edges!r}")
    rising: Sequence[int] = sorted({edge for edge in edges if edge > 0})
    if not edges or edges != rising:
        raise ValueError(
            "model.json: edges must be rising lengths, at least one, since a text is padded to "
            f"the first that holds it; got {edges!r}"
        )


def _finite(weights: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    for name, array in weights.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"weights.npz: {name!r} must hold finite numbers alone")
    return weights
