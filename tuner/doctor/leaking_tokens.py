"""Tokens and marks that give the label away: a tag, a source's line, a template's phrase."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuner.doctor.token_index import TokenIndex

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Leak", "find_leaks"]

PURITY = 0.95
COVERAGE, COVERAGE_INSIDE = 0.2, 0.25
ROWS_MIN, ROWS_AT_EDGE, ROWS_INSIDE = 10, 15, 40  # marks; words at an end; words inside
WHOLE, WHOLE_INSIDE = 0.8, 0.85
WHOLE_ROWS_MIN = 5
GROWTH, AT_EDGE = 0.9, 0.95
P_MIN = 0.05
_SAME_ROWS = 0.8
_NGRAM_MAX = 3
_SPAN_MAX = 30
_OTHERS_MIN, _OTHERS_SHARE_MIN = 5, 0.1

# What stands in brackets or between # signs, tags of markup, and a run of signs at either end.
# Quotation marks and title brackets are left out: they hold content.
_BRACKETED = re.compile(
    r"\[[^\[\]\n]{1,40}\]|【[^【】\n]{1,40}】|<[^<>\n]{1,60}>|\{[^{}\n]{1,40}\}"
    r"|\([^()\n]{1,40}\)|（[^（）\n]{1,40}）|#[^#\s]{1,40}#?|__\w+"
)
# How sentences end is style, not a mark.
_SENTENCE_SIGNS = ".。!！?？,，、;；:：…\"'”’)）"
_EDGE_SIGNS = re.compile(r"^\s*([^\w\s]+)|([^\w\s]+)\s*$")


@dataclass(frozen=True, slots=True)
class Leak:
    """A token, phrase or mark that stands in many rows of one class and hardly elsewhere.

    `rows` are the positions of the rows that hold it; `coverage` is the share of the class's rows
    among them, `purity` the share of its rows that bear the class. Copies count once.
    """

    shown: str
    label: str
    rows: tuple[int, ...]
    coverage: float
    purity: float


_Places = list[tuple[int, int]]
"""Where a span stands, [begin, end) in the index, one a row."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    label: int
    rows: npt.NDArray[np.int64]
    coverage: float
    purity: float
    span: tuple[int, ...] = ()


def find_leaks(
    documents: Sequence[Sequence[str]],
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[int],
) -> tuple[Leak, ...]:
    """Find what gives the label away without being part of what the text says.

    Parameters
    ----------
    documents
        Token lists, length n.
    texts
        The raw texts, length n, for marks that preprocessing takes out.
    labels
        Label of each row, length n.
    groups
        Duplicate group of each row, length n; each group counts once, by its first row.

    Returns
    -------
    tuple of Leak
        By how many rows they touch, most first.

    Notes
    -----
    A candidate stands in at least a fifth of a class's texts and bears that class in 95 % of its
    rows. Good content words do so too ("who" in questions for persons, "visa" among a bank's
    intents), so that frequency alone cries wolf. What tells them apart is the seam: take an
    honest word out and the sentence is broken; take a leak out and the text reads whole, as it
    was before the leak was put there. The seam reads whole if the two neighbours that then meet
    also meet in texts without the candidate, about as often as neighbours do in general. A
    phrase is first grown to its full length.

    Inside a text, where an honest word may also leave a whole sentence ("charged twice"), it must
    further say nothing about the rest of the text: no other token may go with it or against it
    within its class (Fisher's exact test, Bonferroni's correction, p >= 0.05), and stand in a
    quarter of the class. Few rows cannot show any of this: 15 are needed for words that always
    begin or end a text, 40 for words inside. Bracketed marks and signs at the ends need no seam,
    and 10 rows; nor do words with which nearly all texts of a class begin or end, as where each
    class has a tag of its own and no text is left to compare with. The thresholds are ours,
    measured in `benchmarks/planted_faults.py`.

    A mark that several classes share, or that is weaker than this, is not found.
    """
    first_of: dict[int, int] = {}
    for row, group in enumerate(groups):
        first_of.setdefault(group, row)
    kept = sorted(first_of.values())
    names = sorted({labels[row] for row in kept})
    if len(names) < 2:
        return ()
    number = {name: index for index, name in enumerate(names)}
    classes = np.array([number[labels[row]] for row in kept])
    index = TokenIndex([documents[row] for row in kept])
    found: list[tuple[str, _Candidate]] = []
    for shown, candidate in (
        *_marks([texts[row] for row in kept], classes),
        *_spans(index, classes),
    ):
        if not any(_same_fault(candidate, other) for _, other in found):
            found.append((shown, candidate))
    leaks = [
        Leak(
            shown,
            names[candidate.label],
            tuple(kept[row] for row in candidate.rows),
            candidate.coverage,
            candidate.purity,
        )
        for shown, candidate in found
    ]
    return tuple(sorted(leaks, key=lambda leak: (-len(leak.rows), leak.shown)))


def _same_fault(one: _Candidate, other: _Candidate) -> bool:
    if one.label != other.label:
        return False
    shared = len(np.intersect1d(one.rows, other.rows, assume_unique=True))
    return shared >= _SAME_ROWS * min(len(one.rows), len(other.rows))


def _candidate(
    rows: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    span: tuple[int, ...] = (),
) -> _Candidate | None:
    counts = np.bincount(classes[rows], minlength=len(sizes))
    label = int(counts.argmax())
    n, coverage, purity = counts[label], counts[label] / sizes[label], counts[label] / len(rows)
    if n < ROWS_MIN or coverage < COVERAGE or purity < PURITY:
        return None
    return _Candidate(label, rows, float(coverage), float(purity), span)


def _marks(
    texts: Sequence[str], classes: npt.NDArray[np.int64]
) -> Iterator[tuple[str, _Candidate]]:
    rows_of: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        found = {match.group() for match in _BRACKETED.finditer(text)}
        signs = {a or b for a, b in _EDGE_SIGNS.findall(_BRACKETED.sub(" ", text))}
        found |= {run for run in signs if run.strip(_SENTENCE_SIGNS)}
        for mark in found:
            rows_of.setdefault(mark, []).append(row)
    sizes = np.bincount(classes)
    for mark, rows in sorted(rows_of.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(rows) >= ROWS_MIN:
            candidate = _candidate(np.array(rows), classes, sizes)
            if candidate is not None:
                yield mark, candidate


def _spans(index: TokenIndex, classes: npt.NDArray[np.int64]) -> Iterator[tuple[str, _Candidate]]:
    sizes = np.bincount(classes)
    n_min = int(max(ROWS_MIN, np.ceil(COVERAGE * sizes.min())))
    candidates = []
    for span, rows in index.frequent_spans(n_min, _NGRAM_MAX):
        candidate = _candidate(rows, classes, sizes, span)
        if candidate is not None:
            candidates.append(candidate)
    candidates.sort(key=lambda c: (-len(c.rows), len(c.span), c.span))
    seen: set[tuple[tuple[int, ...], int]] = set()
    for candidate in candidates:
        stages = list(_grown(index, candidate))
        longest = stages[-1][0]
        if (longest, candidate.label) in seen:
            continue
        seen.add((longest, candidate.label))
        # Growth may go too far, into a word that most texts of the class begin with.
        for span, places in reversed(stages):
            if _reads_whole_without(index, candidate, places, classes):
                yield index.shown(span), candidate
                break


def _grown(index: TokenIndex, candidate: _Candidate) -> Iterator[tuple[tuple[int, ...], _Places]]:
    """Take in the neighbours that nine in ten of a span's places share, one by one."""
    span = candidate.span
    places = [index.place_of(span, int(row)) for row in candidate.rows]
    yield span, places
    while len(span) < _SPAN_MAX:
        left, n_left = _commonest(index.tokens[a - 1] for a, _ in places)
        right, n_right = _commonest(index.tokens[b] for _, b in places)
        n_left = 0 if left == index.START else n_left
        n_right = 0 if right == index.END else n_right
        if max(n_left, n_right) < GROWTH * len(places):
            return
        if n_left >= n_right:
            span = (left, *span)
            places = [(a - (index.tokens[a - 1] == left), b) for a, b in places]
        else:
            span = (*span, right)
            places = [(a, b + (index.tokens[b] == right)) for a, b in places]
        yield span, places


def _commonest(tokens: Iterable[int]) -> tuple[int, int]:
    return Counter(tokens).most_common(1)[0]


def _reads_whole_without(
    index: TokenIndex,
    candidate: _Candidate,
    places: _Places,
    classes: npt.NDArray[np.int64],
) -> bool:
    seams = np.array([index.pair(index.tokens[a - 1], index.tokens[b]) for a, b in places])
    others = index.pairs_without(candidate.rows)
    n_whole = int(others.have(seams).sum())
    whole = n_whole / len(places)
    usual = others.usual_inside(places)
    at_start = np.mean([index.tokens[a - 1] == index.START for a, _ in places])
    at_end = np.mean([index.tokens[b] == index.END for _, b in places])
    if max(at_start, at_end) >= AT_EDGE:
        if candidate.coverage >= AT_EDGE:
            return len(places) >= ROWS_AT_EDGE
        # Texts of other classes may begin and end alike where this one's do not.
        usual = min(usual, others.usual_at_edge(start=bool(at_start >= at_end)))
        return len(places) >= ROWS_AT_EDGE and n_whole >= WHOLE_ROWS_MIN and whole >= WHOLE * usual
    return (
        len(places) >= ROWS_INSIDE
        and candidate.coverage >= COVERAGE_INSIDE
        and n_whole >= WHOLE_ROWS_MIN
        and whole >= WHOLE_INSIDE * usual
        and _says_nothing_else(index, candidate, places, classes)
    )


def _says_nothing_else(
    index: TokenIndex,
    candidate: _Candidate,
    places: _Places,
    classes: npt.NDArray[np.int64],
) -> bool:
    """Whether no other token goes with it or against it within its class."""
    from scipy.stats import hypergeom

    inside = classes == candidate.label
    holds = np.zeros(len(classes), np.bool_)
    holds[candidate.rows] = True
    others = np.flatnonzero(inside & ~holds)
    if len(others) < max(_OTHERS_MIN, _OTHERS_SHARE_MIN * inside.sum()):
        return True  # it stands in nearly all texts of the class: nothing to compare with
    place_of = dict(zip(candidate.rows.tolist(), places, strict=True))
    with_it: Counter[int] = Counter()
    without: Counter[int] = Counter()
    rows = [int(row) for row in candidate.rows if inside[row]]
    for row in rows:
        with_it.update(index.tokens_outside(row, place_of[row]))
    for row in others.tolist():
        without.update(index.tokens_outside(row, None))
    n_with, n_all = len(rows), len(rows) + len(others)
    tokens = [token for token in {*with_it, *without} if with_it[token] + without[token] > 3]
    if not tokens:
        return True
    k = np.array([with_it[token] for token in tokens])
    total = k + np.array([without[token] for token in tokens])
    more = hypergeom.sf(k - 1, n_all, total, n_with)
    fewer = hypergeom.cdf(k, n_all, total, n_with)
    return bool(2 * np.minimum(more, fewer).min() * len(tokens) >= P_MIN)
