"""From rows to documents: missing values, label spellings, texts under two labels, copies."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from tuner.corpus.keys import duplicate_key
from tuner.corpus.row import Row, cell_text, shown_name
from tuner.corpus.tables import Table
from tuner.errors import DataError
from tuner.invisible import without_invisible, without_variants
from tuner.records import Document, Finding
from tuner.wording import counted

__all__ = ["drop_conflicts", "drop_copies", "excerpt", "read_documents", "unify_labels"]

N_EXAMPLES = 3
# How pandas writes a whole number in a column with gaps.
_WHOLE_NUMBER = re.compile(r"(-?\d+)\.0+")


def excerpt(document: Document) -> str:
    """Show a document in a finding: place and the start of its text, on one line."""
    text = " ".join(document.text.split())
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return f"{document.source}, line {document.line}: {shown!r} ({document.label!r})"


def read_documents(table: Table) -> tuple[list[Document], list[Finding]]:
    """Make documents of a table's rows.

    Several text columns are joined by a blank, missing cells count as empty. A row without any
    text or without a label is left out and counted. Labels lose invisible characters.

    Returns
    -------
    documents : list of Document
    findings : list of Finding
        Kinds "empty_text" and "missing_label", behind the table's own.

    Raises
    ------
    DataError
        If no row is left.
    """
    documents: list[Document] = []
    without_text: list[Row] = []
    without_label: list[Row] = []
    for row in table.rows:
        cells = (cell_text(row.cells.get(name)).strip() for name in table.text)
        text = " ".join(filter(None, cells))
        label = without_invisible(cell_text(row.cells.get(table.label))).strip()
        if not without_invisible(text).strip():
            without_text.append(row)
        elif not label:
            without_label.append(row)
        else:
            documents.append(Document(text, label, row.source or table.source, row.line))
    if not documents:
        raise DataError(
            f"{table.source}: no row has both a text "
            f"({', '.join(map(shown_name, table.text))}) and a label "
            f"({shown_name(table.label)}); {len(table.rows)} rows read."
        )
    findings = list(table.findings)
    findings += [
        Finding(kind, "warning", len(rows), message, _places(table.source, rows))
        for kind, rows, message in (
            ("empty_text", without_text, "rows without any text, left out"),
            ("missing_label", without_label, "rows without a label, left out"),
        )
        if rows
    ]
    return documents, findings


def _places(source: str, rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(f"{row.source or source}, line {row.line}" for row in rows)[:N_EXAMPLES]


def unify_labels(
    documents: list[Document], *, merge: bool
) -> tuple[list[Document], list[Finding]]:
    """Take labels that differ by case, width or blanks only as one, in the commonest spelling.

    `1.0` is a spelling of `1` too: so pandas writes whole numbers in a column with gaps.

    Parameters
    ----------
    documents
        Documents of all files together.
    merge
        False only reports.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        spellings[_label_key(document.label)][document.label] += 1
    variants = {key: counts for key, counts in spellings.items() if len(counts) > 1}
    if not variants:
        return documents, []
    # Ties go to the spelling that sorts first, so that the order of rows does not matter.
    chosen = {
        key: min(counts, key=lambda spelling: (-counts[spelling], spelling))
        for key, counts in variants.items()
    }
    changed = [
        document
        for document in documents
        if chosen.get(_label_key(document.label), document.label) != document.label
    ]
    what = "taken as one" if merge else "kept apart (data.merge_labels is false)"
    finding = Finding(
        "label_variants",
        "warning",
        len(changed),
        f"labels that differ by case, blanks, invisible characters or a trailing .0 only, {what}: "
        + "; ".join(" = ".join(map(repr, sorted(counts))) for counts in variants.values()),
        tuple(excerpt(document) for document in changed[:N_EXAMPLES]),
    )
    if not merge:
        return documents, [finding]
    unified = [
        Document(
            document.text,
            chosen.get(_label_key(document.label), document.label),
            document.source,
            document.line,
        )
        for document in documents
    ]
    return unified, [finding]


def _label_key(label: str) -> str:
    shown = without_invisible(without_variants(label))
    key = " ".join(unicodedata.normalize("NFKC", shown).casefold().split())
    number = _WHOLE_NUMBER.fullmatch(key)
    return number[1] if number else key


def drop_conflicts(documents: list[Document]) -> tuple[list[Document], list[Finding]]:
    """Leave out every copy of a text whose copies bear different labels.

    No copy can be trusted, and a majority would be decided by how often the text was copied.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    keys = [duplicate_key(document.text) for document in documents]
    for key, document in zip(keys, documents, strict=True):
        labels[key].add(document.label)
    conflicting = [d for k, d in zip(keys, documents, strict=True) if len(labels[k]) > 1]
    if not conflicting:
        return documents, []
    n_texts = sum(len(found) > 1 for found in labels.values())
    finding = Finding(
        "conflicting_labels",
        "warning",
        len(conflicting),
        f"rows of {counted(n_texts, 'text')} under two labels or more, all their copies left out",
        tuple(excerpt(document) for document in conflicting[:N_EXAMPLES]),
    )
    kept = [d for k, d in zip(keys, documents, strict=True) if len(labels[k]) == 1]
    return kept, [finding]


def drop_copies(documents: list[Document]) -> list[Document]:
    """Keep the first of the copies of every text."""
    first: dict[str, Document] = {}
    for document in documents:
        first.setdefault(duplicate_key(document.text), document)
    return list(first.values())
