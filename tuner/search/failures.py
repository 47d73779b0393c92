"""When so many trials have failed that going on makes no sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tuner.errors import TooManyFailures
from tuner.records import TrialRecord

__all__ = ["check_failures"]

FAILURES_FROM_START = 5
FAILURES_IN_A_ROW = 10


def check_failures(trials: Sequence[TrialRecord]) -> None:
    """Raise `TooManyFailures` after 5 failed trials from the start, or 10 in a row."""
    finished = [record for record in trials if record.state in ("complete", "pruned", "failed")]
    row: list[TrialRecord] = []
    for record in reversed(finished):
        if record.is_retried:
            continue
        if record.state != "failed":
            break
        row.append(record)
    from_start = len(row) == sum(not record.is_retried for record in finished)
    if len(row) >= (FAILURES_FROM_START if from_start else FAILURES_IN_A_ROW):
        where = "from the start" if from_start else "in a row"
        reasons = Counter(str(record.attributes.get("failure", "unknown")) for record in row)
        reason, _ = reasons.most_common(1)[0]
        raise TooManyFailures(
            f"{len(row)} trials failed {where}; the commonest reason: {reason.rstrip('.')}."
        )
