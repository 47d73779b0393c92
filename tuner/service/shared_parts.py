"""The open parts of a study, for workers: from a shared folder, or from the study's database.

The sealed test has no place here: it never leaves the machine of whoever starts the study.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from pathlib import Path

from tuner.config import digest
from tuner.errors import ConfigError, DataError
from tuner.persist import BlobStore, open_manifest, read_parts
from tuner.records import Document, SearchParts
from tuner.search import StudyTerms, parts_key

__all__ = ["find_parts", "parts_digest", "share_parts"]

_NAMES = ("train", "validation", "selection")


def parts_digest(parts: SearchParts) -> str:
    """Identify the rows of the open parts, 64 hexadecimal digits."""
    return digest(
        [list(parts.classes)]
        + [[[d.text, d.label] for d in getattr(parts, name)] for name in _NAMES]
    )


def share_parts(parts: SearchParts, blobs: BlobStore) -> None:
    """Put the open parts under their digest where workers find them."""
    content = {
        "classes": list(parts.classes),
        "fingerprint": parts.fingerprint,
        "n_test": parts.n_test,
        "text_columns": list(parts.text_columns),
        "documents": {name: [asdict(d) for d in getattr(parts, name)] for name in _NAMES},
    }
    # Escaped, so that a lone surrogate in a text does no harm.
    blobs.put(parts_key(parts_digest(parts)), zlib.compress(json.dumps(content).encode("ascii")))


def find_parts(
    study_name: str, terms: StudyTerms, *, folder: Path, blobs: BlobStore
) -> SearchParts:
    """Give the parts that the study was made with.

    Parameters
    ----------
    terms
        Name the digest that the parts must have.
    folder
        Run directory of the study, if this machine shares it.
    blobs
        Where `share_parts` has put them, if it has.

    Raises
    ------
    ConfigError
        If they are in neither place, or what lies there has another digest.
    """
    if open_manifest(folder) is not None:
        parts = read_parts(folder)
        found = parts_digest(parts)
        if found != terms.parts_digest:
            raise ConfigError(
                f"--study-name {study_name!r} was made with other data: the digest of its parts "
                f"is {terms.parts_digest[:12]}…, that of {folder}/data is {found[:12]}…."
            )
        return parts
    content = blobs.get(parts_key(terms.parts_digest))
    if content is None:
        raise ConfigError(
            f"--output: {folder} has no data of study {study_name!r}, and its database has none "
            "either; share the folder that the study was started with, or start it with "
            "--blobs database."
        )
    parts = _unpack(content)
    if parts_digest(parts) != terms.parts_digest:
        raise DataError(f"study {study_name}: the data in its database are damaged.")
    return parts


def _unpack(content: bytes) -> SearchParts:
    stored = json.loads(zlib.decompress(content))
    documents = {
        name: tuple(Document(**d) for d in rows) for name, rows in stored["documents"].items()
    }
    return SearchParts(
        **documents,
        classes=tuple(stored["classes"]),
        fingerprint=stored["fingerprint"],
        n_test=stored["n_test"],
        text_columns=tuple(stored.get("text_columns", ())),
    )
