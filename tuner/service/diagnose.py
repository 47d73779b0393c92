"""From collected parts to what the data doctor says about them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.config import PreprocessSettings, Settings
from tuner.corpus import duplicate_key, excerpt, near_duplicate_groups
from tuner.doctor import (
    Leak,
    ShareDrift,
    TextDrift,
    class_share_drift,
    find_label_noise,
    find_leaks,
    text_drift,
)
from tuner.persist import open_manifest
from tuner.preprocess import tokenize, with_words
from tuner.records import Document, Finding
from tuner.report import csv_cell
from tuner.service.collect import Collected

__all__ = ["Diagnosis", "SuspectRow", "diagnose_parts", "suspects_csv"]

ROWS_MAX = 50_000
CHARACTERS_MAX = 4_000_000
CELLS_MAX = 3_000_000  # rows times classes of the model behind the label suspects
N_EXAMPLES = 3
LEAKS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class SuspectRow:
    """A document whose label is doubted.

    `suggested` is the likelier class, `self_confidence` the probability of the given label.
    """

    document: Document
    suggested: str
    self_confidence: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor found, and every row whose label is doubted, the surest first."""

    findings: tuple[Finding, ...]
    suspects: tuple[SuspectRow, ...]


def diagnose_parts(collected: Collected, settings: Settings) -> Diagnosis:
    """Look for label noise, leaking tokens, and drift between given files.

    Label noise and leaks are looked for in train, validation and selection. A test part that was
    split off here stays sealed; one that was given as a file is compared with the data, as is a
    given validation file. Nothing of it reaches a search.

    Notes
    -----
    At most 50,000 rows and about 4 million characters are looked at, of larger tables a random
    sample (the seed is `split.seed`); label noise with many classes at most 3 million divided
    by the number of classes. What was left out is said by a finding of severity "info".
    """
    parts = collected.parts
    seed = settings.split.seed
    documents = [*parts.train, *parts.validation, *parts.selection]
    sample = _sample(documents, seed=seed)
    preprocess = with_words(settings.preprocess, [d.text for d in parts.train])
    texts = [document.text for document in sample]
    labels = [document.label for document in sample]
    tokens = _tokens(sample, preprocess)
    groups = near_duplicate_groups([duplicate_key(text) for text in texts])

    findings = []
    if len(sample) < len(documents):
        findings.append(
            Finding(
                "sampled",
                "info",
                len(sample),
                f"rows of {len(documents):,} looked at for label noise and leaks, at random",
            )
        )
    n_judged = min(len(sample), CELLS_MAX // max(1, len(set(labels))))
    judged = sorted(_shuffled(len(sample), seed=seed)[:n_judged])
    suspects = tuple(
        SuspectRow(sample[judged[s.row]], s.suggested, s.self_confidence)
        for s in find_label_noise(
            [tokens[row] for row in judged],
            [labels[row] for row in judged],
            [groups[row] for row in judged],
            seed=seed,
        )
    )
    findings += _noise_findings(suspects, n_judged=n_judged)
    findings += _leak_findings(find_leaks(tokens, texts, labels, groups), sample)
    for name, data, given in _given_files(collected, settings):
        findings += _drift_findings(name, data, given, preprocess, seed=seed)
    return Diagnosis(tuple(findings), suspects)


def suspects_csv(suspects: Sequence[SuspectRow]) -> str:
    """Give the suspects as a table to review, one row each, the surest first.

    It begins with a byte order mark: without one, Excel takes UTF-8 for the code page of its
    country and shows Chinese as garbage. Formulas are neutralised.
    """
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "line", "given_label", "suggested_label", "self_confidence", "text"])
    for suspect in suspects:
        document = suspect.document
        row = [
            document.source,
            document.line,
            document.label,
            suspect.suggested,
            round(suspect.self_confidence, 4),
            document.text,
        ]
        writer.writerow([csv_cell(value) for value in row])
    return buffer.getvalue()


def _shuffled(n: int, *, seed: int) -> list[int]:
    import numpy as np

    return [int(row) for row in np.random.default_rng(seed).permutation(n)]


def _sample(documents: Sequence[Document], *, seed: int) -> list[Document]:
    """Take as many documents as the limits allow, at random, in their order."""
    n_characters = sum(len(document.text) for document in documents)
    n = min(ROWS_MAX, len(documents) * CHARACTERS_MAX // max(1, n_characters))
    if n >= len(documents):
        return list(documents)
    return [documents[row] for row in sorted(_shuffled(len(documents), seed=seed)[: max(n, 1)])]


def _tokens(documents: Sequence[Document], preprocess: PreprocessSettings) -> list[list[str]]:
    texts = [document.text for document in documents]
    return tokenize(texts, preprocess, processes=os.cpu_count() or 1)


def _given_files(
    collected: Collected, settings: Settings
) -> list[tuple[str, list[Document], list[Document]]]:
    """Give name, data rows and rows of each ready-made file. A folder's split is none."""
    data = settings.data
    if data.path is None or ("://" not in data.path and open_manifest(Path(data.path))):
        return []
    parts = collected.parts
    rows = [*parts.train, *parts.selection, *(() if data.validation else parts.validation)]
    return [
        (name, rows, list(given))
        for name, source, given in (
            ("validation", data.validation, parts.validation),
            ("test", data.test, collected.test),
        )
        if source is not None
    ]


def _noise_findings(suspects: Sequence[SuspectRow], *, n_judged: int) -> list[Finding]:
    if not suspects:
        return []
    return [
        Finding(
            "label_noise",
            "warning",
            len(suspects),
            f"rows whose label a simple model doubts ({len(suspects) / n_judged:.1%} of "
            f"{n_judged:,}), worth a look: --suspects FILE.csv lists them",
            tuple(f"{excerpt(s.document)}, rather {s.suggested!r}" for s in suspects[:N_EXAMPLES]),
        )
    ]


def _leak_findings(leaks: Sequence[Leak], documents: Sequence[Document]) -> list[Finding]:
    findings = [
        Finding(
            "leaking_token",
            "warning",
            len(leak.rows),
            f"rows with {leak.shown!r}, which gives the class {leak.label!r} away: "
            f"{leak.coverage:.0%} of its texts have it, {leak.purity:.0%} of those that have it "
            "are of this class, and the texts read whole without it",
            tuple(excerpt(documents[row]) for row in leak.rows[:N_EXAMPLES]),
        )
        for leak in leaks[:LEAKS_SHOWN]
    ]
    rest = leaks[LEAKS_SHOWN:]
    if rest:
        findings.append(
            Finding(
                "leaking_token",
                "warning",
                sum(len(leak.rows) for leak in rest),
                f"rows with {len(rest)} more that give a class away: "
                + ", ".join(repr(leak.shown) for leak in rest[:LEAKS_SHOWN])
                + ("…" if len(rest) > LEAKS_SHOWN else ""),
            )
        )
    return findings


def _drift_findings(
    name: str,
    data: Sequence[Document],
    given: Sequence[Document],
    preprocess: PreprocessSettings,
    *,
    seed: int,
) -> list[Finding]:
    first, second = _sample(data, seed=seed), _sample(given, seed=seed)
    groups = near_duplicate_groups([duplicate_key(d.text) for d in (*first, *second)])
    texts = text_drift(_tokens(first, preprocess), _tokens(second, preprocess), groups, seed=seed)
    shares = class_share_drift([d.label for d in data], [d.label for d in given])
    findings = []
    if texts is not None and texts.is_notable:
        findings.append(_text_drift_finding(name, len(given), texts))
    if shares is not None and shares.is_notable:
        findings.append(_share_drift_finding(name, len(given), shares))
    return findings


def _text_drift_finding(name: str, n: int, drift: TextDrift) -> Finding:
    tokens = "; ".join(
        f"{how}: {', '.join(map(repr, found))}"
        for how, found in (
            ("more often there", drift.second_tokens),
            ("less often", drift.first_tokens),
        )
        if found
    )
    return Finding(
        f"{name}_text_drift",
        "warning",
        n,
        f"rows of the given {name} file, whose texts differ from the data's: a linear model tells "
        f"them apart with an AUC of {drift.auc:.2f} (95 % interval {drift.low:.2f} to "
        f"{drift.high:.2f}; 0.5 = alike)" + (f"; {tokens}" if tokens else ""),
    )


def _share_drift_finding(name: str, n: int, drift: ShareDrift) -> Finding:
    return Finding(
        f"{name}_class_drift",
        "warning",
        n,
        f"rows of the given {name} file, whose class shares differ from the data's by "
        f"{drift.distance:.0%} of the rows (chi-squared test, p = {drift.p_value:.1g}); most in "
        f"{drift.label!r}: {drift.first:.1%} of the data, {drift.second:.1%} there",
    )
