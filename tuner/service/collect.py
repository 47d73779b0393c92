"""From the named sources to four parts: read, check, drop what cannot be trusted, split once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuner.config import Settings, digest
from tuner.corpus import (
    drop_conflicts,
    drop_copies,
    duplicate_key,
    mask_password,
    near_duplicate_groups,
    read_documents,
    read_table,
    unify_labels,
)
from tuner.errors import ConfigError, DataError
from tuner.persist import open_manifest, read_documents_file, read_parts, write_parts
from tuner.records import Document, Finding, SearchParts
from tuner.service.data_findings import (
    class_findings,
    class_gaps,
    duplicate_findings,
    listed,
    overlap_findings,
)
from tuner.service.shared_parts import parts_digest
from tuner.split import assign_parts

__all__ = [
    "Collected",
    "Sources",
    "read_findings",
    "read_sources",
    "split_digest",
    "split_sources",
    "store_parts",
]


@dataclass(frozen=True, slots=True)
class Sources:
    """Clean documents by the role they were given in ("data", "validation", "test").

    `fingerprint` identifies them whatever their order; `ready` is a folder that `tuner collect`
    made, whose split holds, else None; `split` identifies that split, "" where there is none yet;
    `text_columns` are those of `data.path`, () for a folder of texts.
    """

    documents: Mapping[str, tuple[Document, ...]]
    findings: tuple[Finding, ...]
    fingerprint: str
    ready: Path | None = None
    split: str = ""
    text_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """The four parts and what is to be said about the data."""

    parts: SearchParts
    test: tuple[Document, ...]
    findings: tuple[Finding, ...]


def read_sources(settings: Settings) -> Sources:
    """Read `data.path` and, where given, `data.validation` and `data.test`.

    Raises
    ------
    ConfigError
        If no data is named, or a file is given beside a folder that is split already.
    DataError
        If they cannot be used; names file and line.
    """
    data = settings.data
    if data.path is None:
        raise ConfigError("data.path must name the table of labelled texts: --data FILE.")
    folder = Path(data.path)
    if "://" not in data.path and open_manifest(folder) is not None:
        _refuse_given_beside_split(settings, folder)
        parts = read_parts(folder)
        return Sources({}, (), parts.fingerprint, ready=folder, split=parts_digest(parts))
    findings: list[Finding] = []
    roles = {"data": data.path, "validation": data.validation, "test": data.test}
    rows: list[tuple[str, Document]] = []
    text_columns: tuple[str, ...] = ()
    for role, source in roles.items():
        if source is not None:
            table = read_table(source, data)
            if role == "data" and not folder.is_dir():
                text_columns = table.text
            documents, found = read_documents(table)
            findings += found
            rows += [(role, document) for document in documents]
    unified, found = unify_labels([document for _, document in rows], merge=data.merge_labels)
    findings += found
    by_role = {
        name: [d for (role, _), d in zip(rows, unified, strict=True) if role == name]
        for name, source in roles.items()
        if source is not None
    }
    by_role["data"], found = drop_conflicts(by_role["data"])
    findings += found
    if data.duplicates == "drop":
        by_role["data"] = drop_copies(by_role["data"])
    fingerprint = digest(
        sorted([role, d.label, d.text] for role, documents in by_role.items() for d in documents)
    )
    return Sources(
        {role: tuple(documents) for role, documents in by_role.items()},
        tuple(findings),
        fingerprint,
        text_columns=text_columns,
    )


def split_sources(sources: Sources, settings: Settings) -> Collected:
    """Split as decided: once, before any searched setting is looked at.

    Given validation and test files are honoured; rows of the other files that repeat a text of
    theirs are left out, so that no duplicate stands on two sides.

    Raises
    ------
    DataError
        If a search on these rows would mean nothing.
    """
    if sources.ready is not None:
        parts = read_parts(sources.ready)
        test = read_documents_file(sources.ready / "sealed" / "test.jsonl")
        return Collected(parts, test, read_findings(sources.ready))
    findings = list(sources.findings)
    documents = [d for role in sources.documents.values() for d in role]
    roles = [name for name, found in sources.documents.items() for _ in found]
    keys = [duplicate_key(document.text) for document in documents]
    groups = near_duplicate_groups(keys) if settings.split.near_duplicates else _exact(keys)
    findings += duplicate_findings(documents, keys, groups)
    dropped = _overlap_with_given(roles, groups)
    findings += overlap_findings(documents, roles, dropped)
    rows = [row for row in range(len(documents)) if row not in dropped]
    part_of = {row: roles[row] for row in rows if roles[row] != "data"}
    free = [row for row in rows if roles[row] == "data"]
    findings += class_findings([documents[row] for row in free], [groups[row] for row in free])
    shares = _shares(settings, given=set(sources.documents))
    part_of |= zip(
        free,
        assign_parts(
            [keys[row] for row in free],
            [documents[row].label for row in free],
            [groups[row] for row in free],
            shares=shares,
            seed=settings.split.seed,
        ),
        strict=True,
    )
    chosen = {
        name: tuple(documents[row] for row in rows if part_of[row] == name)
        for name in ("train", "validation", "selection", "test")
    }
    for name, found in chosen.items():
        if len(found) < 2:
            raise _too_few(name, len(found), len(rows), given=sources.documents.get(name))
    for name in ("validation", "test"):
        if name in sources.documents:
            _require_common_label(name, chosen[name], chosen["train"])
    classes = tuple(sorted({document.label for found in chosen.values() for document in found}))
    findings += class_gaps(chosen, given=set(sources.documents))
    parts = SearchParts(
        chosen["train"],
        chosen["validation"],
        chosen["selection"],
        classes,
        sources.fingerprint,
        len(chosen["test"]),
        sources.text_columns,
    )
    return Collected(parts, chosen["test"], tuple(findings))


def _refuse_given_beside_split(settings: Settings, folder: Path) -> None:
    for name in ("validation", "test"):
        value = getattr(settings.data, name)
        if value is not None:
            raise ConfigError(
                f"data.{name} must be left out where data.path is a folder that `tuner collect` "
                f"made, since {folder} has a {name} part of its own; got {value!r}."
            )


def _too_few(name: str, n: int, n_rows: int, *, given: Sequence[Document] | None) -> DataError:
    if given is None:
        return DataError(
            f"the {name} part must have at least 2 rows; it has {n} of {n_rows}. "
            f"More data is needed, or a larger split.{name}."
        )
    left_out = len(given) - n
    return DataError(
        f"{given[0].source}, line {given[0].line}: the {name} part must have at least 2 rows, "
        f"since fewer measure nothing; the file given for it has {n}"
        + (f" besides {left_out} whose text stands in the test file." if left_out else ".")
    )


def _require_common_label(name: str, given: Sequence[Document], train: Sequence[Document]) -> None:
    known = {document.label for document in train}
    labels = {document.label for document in given}
    if labels & known:
        return
    raise DataError(
        f"{given[0].source}, line {given[0].line}: no label of the given {name} file occurs in "
        f"train, so no row of it could ever be right; it has {listed(labels)}, train has "
        f"{listed(known)}."
    )


def split_digest(settings: Settings) -> str:
    """Identify the settings that decide who is in which part."""
    return digest(settings.split.model_dump(mode="json"))


def store_parts(folder: Path, collected: Collected, settings: Settings) -> None:
    """Write the parts into a run directory or a folder of `tuner collect`."""
    data = settings.data
    sources = {"data": data.path, "validation": data.validation, "test": data.test}
    origin: dict[str, Any] = {
        "sources": {
            name: mask_password(value) if "://" in value else Path(value).name
            for name, value in sources.items()
            if value is not None
        },
        "split": settings.split.model_dump(mode="json"),
        "split_digest": split_digest(settings),
        "findings": [asdict(finding) for finding in collected.findings],
    }
    write_parts(folder, collected.parts, collected.test, origin=origin)


def read_findings(folder: Path) -> tuple[Finding, ...]:
    """Read the findings that were stored with the parts."""
    manifest = open_manifest(folder) or {"origin": {}}
    return tuple(
        Finding(**{**finding, "examples": tuple(finding["examples"])})
        for finding in manifest["origin"].get("findings", ())
    )


def _exact(keys: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    return [first.setdefault(key, position) for position, key in enumerate(keys)]


def _shares(settings: Settings, *, given: set[str]) -> dict[str, float]:
    split = settings.split
    # In the order in which a class with few texts gets them.
    shares = {
        "train": 1.0 - split.validation - split.selection - split.test,
        "test": split.test,
        "validation": split.validation,
        "selection": split.selection,
    }
    return {name: share for name, share in shares.items() if name not in given}


def _overlap_with_given(roles: Sequence[str], groups: Sequence[int]) -> dict[int, str]:
    """Give rows to leave out, with the given part that holds the same text.

    The test file stands as it is; validation yields to it, the data file to both.
    """
    in_test = {group for role, group in zip(roles, groups, strict=True) if role == "test"}
    in_validation = {
        group for role, group in zip(roles, groups, strict=True) if role == "validation"
    }
    dropped: dict[int, str] = {}
    for row, (role, group) in enumerate(zip(roles, groups, strict=True)):
        if role != "test" and group in in_test:
            dropped[row] = "test"
        elif role == "data" and group in in_validation:
            dropped[row] = "validation"
    return dropped
