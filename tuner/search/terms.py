"""What a study's starter writes down for the workers that join it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from tuner.records import WEIGHTS_KEPT

if TYPE_CHECKING:
    from tuner.search.enduring import EnduringStorage

__all__ = ["BlobPlace", "StudyTerms", "close_terms", "parts_key", "read_terms", "write_terms"]

_PREFIX = "terms:"
_ADDED = {"submitted"}  # not written by versions before
BlobPlace = Literal["folder", "database"]


@dataclass(frozen=True, slots=True)
class StudyTerms:
    """The terms of a study.

    `total` is the count of finished trials it shall have; `blobs` where weights, checkpoints and
    data lie; `parts_digest` identifies the rows of the open parts; `code` the versions that the
    starter ran; `weights_kept` how many of the best trials keep their weights; `closed` the
    reason why no more trials are started, "" while they are; `submitted` tells this submission
    from an earlier one on the same terms, "" where the starter's version did not say.
    """

    total: int
    blobs: BlobPlace
    parts_digest: str
    code: Mapping[str, str]
    weights_kept: int = WEIGHTS_KEPT
    closed: str = ""
    submitted: str = ""


def parts_key(parts_digest: str) -> str:
    """Give the key of the blob that holds a study's open parts, where blobs lie in the storage."""
    return f"parts-{parts_digest}"


def write_terms(storage: EnduringStorage, study_id: int, terms: StudyTerms) -> None:
    """Write all terms at once; each is an attribute of its own."""
    attributes = {f"{_PREFIX}{name}": value for name, value in asdict(terms).items()}
    storage.put_study_attributes(study_id, attributes)


def close_terms(storage: EnduringStorage, study_id: int, *, reason: str, total: float) -> bool:
    """Close a study, and nothing else, unless its terms ask for more than `total` by now.

    Returns
    -------
    bool
        False if they do.
    """
    return storage.put_study_attributes(
        study_id,
        {f"{_PREFIX}closed": reason},
        holds=lambda there: there.get(f"{_PREFIX}total", 0) <= total,
    )


def read_terms(attributes: Mapping[str, Any]) -> StudyTerms | None:
    """Read the terms from a study's attributes; None where its starter has not written all."""
    names = [field.name for field in fields(StudyTerms)]
    there = {n: attributes[f"{_PREFIX}{n}"] for n in names if f"{_PREFIX}{n}" in attributes}
    if not there.keys() >= set(names) - _ADDED:
        return None
    return StudyTerms(**there)
