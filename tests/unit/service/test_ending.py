"""When a search makes room for its confirmation."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tuner.records import Document, SearchParts, TrialRecord
from tuner.service import ConfirmationPlan
from tuner.service.ending import ends_early_rule


def trials(*seconds):
    return [TrialRecord(n, n, "complete", 0.5, {}, {}, {}, None, s) for n, s in enumerate(seconds)]


def outcome(found, *, budget, confirmation, n_selection):
    rows = tuple(Document(str(n), "x", "a.csv", n) for n in range(n_selection))
    parts = SearchParts(rows, rows, rows, ("x", "y"), "0" * 64, 100)
    rule = ends_early_rule(
        SimpleNamespace(parts=parts, settings=None),
        started=time.monotonic(),
        timeout_seconds=1e9,
        budget_seconds=budget,
        stops_when_flat=False,
        confirmation=confirmation,
    )
    return rule(found)


# Trials of 30 s, 10 s, 10 s: one more takes 10 s. A confirmation 3:2 of them is six runs in all.
@pytest.mark.parametrize(
    ("confirmation", "n_selection", "seconds"),
    [
        (None, 2_000, 10),
        (ConfirmationPlan(3, 2), 2_000, 70),
        (ConfirmationPlan(3, 2), 100, 110),  # and two folds compile as the first trial did
    ],
)
def test_budget_leaves_room_for_one_more_trial_and_the_confirmation(
    confirmation, n_selection, seconds
):
    found = trials(30.0, 10.0, 10.0)
    enough = {"confirmation": confirmation, "n_selection": n_selection}

    assert outcome(found, budget=seconds + 5, **enough) is None
    assert outcome(found, budget=seconds, **enough) == "budget"
