"""The end of a study can be stopped until its test is opened."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from tuner.config import Settings
from tuner.errors import Interrupted
from tuner.persist import SealedTest
from tuner.records import Document, SearchParts, TrialRecord
from tuner.service.finish import open_test


@pytest.mark.parametrize("n_asked", [1, 2, 3])
def test_ctrl_c_while_the_baselines_are_fitted_leaves_the_test_unread(tmp_path, n_asked):
    rows = tuple(Document(text, text[0], "a.csv", n) for n, text in enumerate(("good", "bad")))
    results = SimpleNamespace(
        folder=tmp_path,
        settings=Settings(),
        parts=SearchParts(rows, rows, rows, ("b", "g"), "0" * 64, 2),
        pipeline=SimpleNamespace(
            with_words=lambda preprocess: preprocess,
            tokens=lambda _, __: [[row.text] for row in rows],
        ),
    )
    best = TrialRecord(0, 0, "complete", 0.5, {}, {}, {"weights": "w"}, None, 1.0)
    asked = []

    def stop_requested():
        asked.append(True)
        if len(asked) == n_asked:
            raise Interrupted(signal.SIGINT)

    with pytest.raises(Interrupted):
        open_test(results, best, None, stop_requested)

    assert SealedTest(tmp_path).reads == 0
