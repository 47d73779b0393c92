"""What the split has to say about the rows: copies, overlaps, classes that a part lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tuner.corpus import excerpt
from tuner.errors import DataError
from tuner.records import Document, Finding

__all__ = ["class_findings", "class_gaps", "duplicate_findings", "listed", "overlap_findings"]

ROWS_MIN = 20
GROUPS_PER_PART = 4
N_EXAMPLES = 3
LABELS_SHOWN = 5


def overlap_findings(
    documents: Sequence[Document], roles: Sequence[str], dropped: Mapping[int, str]
) -> list[Finding]:
    """Say which rows were left out because a given file holds their text.

    Parameters
    ----------
    roles
        "data", "validation" or "test" for each document.
    dropped
        Rows left out, with the given part that holds the same text.
    """
    findings = []
    for given in ("test", "validation"):
        rows = [row for row, part in dropped.items() if part == given]
        if rows:
            what = "train" if all(roles[row] == "data" for row in rows) else "train or validation"
            findings.append(
                Finding(
                    f"{given}_in_train",
                    "warning",
                    len(rows),
                    f"{what} rows whose text stands in the given {given} file too, left out",
                    tuple(excerpt(documents[row]) for row in rows[:N_EXAMPLES]),
                )
            )
    return findings


def duplicate_findings(
    documents: Sequence[Document], keys: Sequence[str], groups: Sequence[int]
) -> list[Finding]:
    """Say how many rows repeat another text, to the letter or nearly.

    `keys` and `groups` are the duplicate key and group of each document.
    """
    findings = []
    seen: set[str] = set()
    copies: list[int] = []
    for row, key in enumerate(keys):
        if key in seen:
            copies.append(row)
        seen.add(key)
    if copies:
        findings.append(
            Finding(
                "exact_duplicates",
                "warning",
                len(copies),
                f"rows that repeat an earlier text ({len(copies) / len(keys):.1%} of all), "
                "kept on one side of the split",
                tuple(excerpt(documents[row]) for row in copies[:N_EXAMPLES]),
            )
        )
    key_of_group = {group: keys[group] for group in set(groups)}
    near = [row for row, group in enumerate(groups) if keys[row] != key_of_group[group]]
    if near:
        findings.append(
            Finding(
                "near_duplicates",
                "warning",
                len(near),
                "rows that nearly repeat another text (Jaccard 0.9 or more), "
                "kept on one side of the split",
                tuple(excerpt(documents[row]) for row in near[:N_EXAMPLES]),
            )
        )
    return findings


def class_findings(documents: Sequence[Document], groups: Sequence[int]) -> list[Finding]:
    """Say which classes have too few texts to be in every part.

    Parameters
    ----------
    documents, groups
        The rows that are free to be split, and the duplicate group of each.

    Raises
    ------
    DataError
        If there are too few rows or classes for a split that means anything.
    """
    if not documents:
        raise DataError("no row is left to train on once conflicts and overlaps are left out.")
    place = f"{documents[0].source}, line {documents[0].line}"
    groups_of: dict[str, set[int]] = defaultdict(set)
    for document, group in zip(documents, groups, strict=True):
        groups_of[document.label].add(group)
    if len(groups_of) < 2:
        raise DataError(
            f"{place}: there must be at least 2 classes; every row bears the label "
            f"{documents[0].label!r}."
        )
    if len(set(groups)) < ROWS_MIN:
        raise DataError(
            f"{place}: there must be at least {ROWS_MIN} different texts; got {len(set(groups))}."
        )
    splittable = [label for label, found in groups_of.items() if len(found) >= GROUPS_PER_PART]
    if len(splittable) < 2:
        small = min(groups_of, key=lambda label: (len(groups_of[label]), label))
        first = next(document for document in documents if document.label == small)
        raise DataError(
            f"{first.source}, line {first.line}: at least 2 classes must have {GROUPS_PER_PART} "
            f"different texts, one for each part; class {small!r} has {len(groups_of[small])}. "
            "Is the label column the right one?"
        )
    small_classes = sorted(set(groups_of) - set(splittable))
    if not small_classes:
        return []
    counts = Counter(document.label for document in documents)
    return [
        Finding(
            "small_classes",
            "warning",
            sum(counts[label] for label in small_classes),
            f"rows of {len(small_classes)} classes with fewer than {GROUPS_PER_PART} different "
            f"texts, which some parts will lack: {listed(small_classes)}",
            tuple(excerpt(d) for d in documents if d.label in small_classes)[:N_EXAMPLES],
        )
    ]


def class_gaps(chosen: Mapping[str, tuple[Document, ...]], *, given: set[str]) -> list[Finding]:
    """Say which classes train lacks, and which a file given for another part lacks.

    Parameters
    ----------
    chosen
        Documents by part: "train", "validation", "selection", "test".
    given
        Parts that came as a file; the others have what the split could give them.
    """
    labels = {name: {document.label for document in found} for name, found in chosen.items()}
    findings = []
    unknown = set().union(*labels.values()) - labels["train"]
    if unknown:
        rows = [d for found in chosen.values() for d in found if d.label in unknown]
        findings.append(
            Finding(
                "classes_without_train",
                "warning",
                len(rows),
                "rows of classes that train does not have, so they can never be right: "
                + listed(unknown),
                tuple(excerpt(document) for document in rows[:N_EXAMPLES]),
            )
        )
    for name in ("validation", "test"):
        missing = labels["train"] - labels[name]
        if name in given and missing:
            findings.append(
                Finding(
                    f"classes_without_{name}",
                    "warning",
                    sum(document.label in missing for document in chosen["train"]),
                    f"train rows of classes that the given {name} file does not have, so nothing "
                    f"is measured there of how they are told: {listed(missing)}",
                )
            )
    return findings


def listed(labels: Iterable[str]) -> str:
    """Name the first five labels in order, and how many more there are.

    >>> listed("gfedcba")
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    names = [repr(label) for label in sorted(labels)]
    rest = len(names) - LABELS_SHOWN
    return ", ".join(names[:LABELS_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
