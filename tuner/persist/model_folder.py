"""A trained classifier in a folder: all that a prediction needs, JSON and arrays only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuner.errors import CheckpointError
from tuner.persist.arrays import pack_arrays, unpack_arrays
from tuner.persist.atomic import replace_folder, write_bytes, write_json

__all__ = ["StoredModel", "read_model", "write_model"]

SCHEMA = 1
_USER_FILES = ("dictionary", "stop_words")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A classifier as stored.

    `settings` are the trial's resolved settings as JSON data; `vocabulary` lists tokens by id;
    `classes` class names by number; `edges` the padded lengths; `about` is free (scores, trial,
    versions).
    """

    settings: Mapping[str, Any]
    vocabulary: tuple[str, ...]
    ngrams: int
    max_tokens: int
    edges: tuple[int, ...]
    classes: tuple[str, ...]
    weights: Mapping[str, npt.NDArray[np.float32]]
    about: Mapping[str, Any]


def write_model(folder: Path, model: StoredModel) -> None:
    """Write a model folder, whole or not at all; own word lists are copied into it."""
    settings = json.loads(json.dumps(model.settings))
    with replace_folder(folder) as fresh:
        for key in _USER_FILES:
            value = settings["preprocess"][key]
            if value is not None and Path(value).is_file():
                shutil.copyfile(value, fresh / f"{key}.txt")
                settings["preprocess"][key] = f"{key}.txt"
        write_json(fresh / "settings.json", settings)
        write_json(fresh / "vocabulary.json", list(model.vocabulary))
        write_json(fresh / "labels.json", list(model.classes))
        write_bytes(fresh / "weights.npz", pack_arrays(model.weights))
        write_json(
            fresh / "model.json",
            {
                "schema": SCHEMA,
                "ngrams": model.ngrams,
                "max_tokens": model.max_tokens,
                "edges": list(model.edges),
                "about": dict(model.about),
            },
        )


def read_model(folder: Path) -> StoredModel:
    """Read a model folder.

    Raises
    ------
    CheckpointError
        If it is missing, damaged, or of a later schema.
    """
    if not (folder / "model.json").is_file():
        raise CheckpointError(f"{folder}: is no model folder; it has no model.json.")
    try:
        head, settings, vocabulary, labels = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("model.json", "settings.json", "vocabulary.json", "labels.json")
        )
        if head["schema"] > SCHEMA:
            raise CheckpointError(
                f"{folder}: schema must be at most {SCHEMA}; got {head['schema']}. "
                "It was written by a later version of tuner."
            )
        for key in _USER_FILES:
            if settings["preprocess"][key] == f"{key}.txt":
                settings["preprocess"][key] = str(folder / f"{key}.txt")
        return StoredModel(
            settings=settings,
            vocabulary=tuple(vocabulary),
            ngrams=int(head["ngrams"]),
            max_tokens=int(head["max_tokens"]),
            edges=tuple(head["edges"]),
            classes=tuple(labels),
            weights=unpack_arrays((folder / "weights.npz").read_bytes()),
            about=head["about"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder}: the model folder is damaged: {error}.") from error
