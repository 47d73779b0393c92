"""From collected parts to what the data doctor says about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.config import PreprocessSettings, Settings
from tuner.cores import cores
from tuner.corpus import duplicate_key, excerpt, near_duplicate_groups
from tuner.doctor import (
    Leak,
    ShareDrift,
    TextDrift,
    class_share_drift,
    find_leaks,
    text_drift,
)
from tuner.persist import open_manifest
from tuner.preprocess import tokenize, with_words
from tuner.records import Document, Finding
from tuner.service.collect import Collected
from tuner.service.label_suspects import (
    LabelSuspects,
    SuspectRow,
    find_suspects,
    sample_rows,
)

__all__ = ["Diagnosis", "diagnose_parts"]

N_EXAMPLES = 3
LEAKS_SHOWN = 10


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
    suspects = find_suspects(sample, tokens, groups, seed=seed)
    findings += _noise_findings(suspects)
    findings += _leak_findings(find_leaks(tokens, texts, labels, groups), sample)
    for name, data, given in _given_files(collected, settings):
        findings += _drift_findings(name, data, given, preprocess, seed=seed)
    return Diagnosis(tuple(findings), suspects.rows)


def _sample(documents: Sequence[Document], *, seed: int) -> list[Document]:
    return [documents[row] for row in sample_rows(documents, seed=seed)]


def _tokens(documents: Sequence[Document], preprocess: PreprocessSettings) -> list[list[str]]:
    texts = [document.text for document in documents]
    return list(tokenize(texts, preprocess, processes=cores()))


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


def _noise_findings(suspects: LabelSuspects) -> list[Finding]:
    rows = suspects.rows
    if not rows:
        return []
    return [
        Finding(
            "label_noise",
            "warning",
            len(rows),
            f"rows whose label a simple model doubts ({len(rows) / suspects.n_judged:.1%} of "
            f"{suspects.n_judged:,}), worth a look: --suspects FILE.csv lists them",
            tuple(f"{excerpt(s.document)}, rather {s.suggested!r}" for s in rows[:N_EXAMPLES]),
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
