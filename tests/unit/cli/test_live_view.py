"""The live view tells the log file what it shows, and fits the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tuner.cli.logs import log_to_file, log_to_stderr
from tuner.cli.progress import LiveView, Tally
from tuner.records import TrialRecord


def record(number, state="complete", value=None, **attributes):
    return TrialRecord(number, number, state, value, {}, {1: 0.4}, attributes, None, 2.0)


def drawn(console, *, trials=(), total=100):
    view = LiveView(Tally(total, "macro_f1", "maximize"), console, title="s")
    for trial in trials:
        view.trial_finished(trial)
    with console.capture() as capture:
        console.print(view._render())
    return capture.get()


def test_each_trial_has_its_line_in_the_file_and_none_on_stderr(tmp_path, capsys, logger):
    log_to_stderr(verbose=False, quiet=False)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    view = LiveView(Tally(3, "macro_f1", "maximize"), console, title="s")

    with log_to_file(tmp_path) as path:
        view.trial_started(0, {"model.dropout": 0.5})
        view.epoch_finished(0, 1, 0.4)
        view.trial_finished(record(0, value=0.5))
        view.trial_finished(record(1, "failed", failure="out of memory"))
        logger.warning("shown")

    written = path.read_text(encoding="utf-8")
    assert "trial 0 begins with {'model.dropout': 0.5}" in written
    assert "trial 0 epoch 1: macro_f1 0.4000" in written
    assert "trial 0 macro_f1 0.5000 * | best 0.5000" in written
    assert "trial 1 failed: out of memory" in written
    shown = capsys.readouterr().err
    assert "shown" in shown and "trial" not in shown


def test_reason_of_the_last_failure_is_shown():
    console = Console(force_terminal=True, width=100)

    shown = drawn(console, trials=[
        record(0, "failed", failure="diverged"), record(1, "failed", failure="out of\nmemory"),
        record(2, "failed", failure="interrupted", retried=True),
    ])  # fmt: skip

    assert "failed   trial 1  out of memory" in shown
    assert "2 failed" in shown


def test_no_failure_takes_no_line():
    assert "failed   " not in drawn(Console(force_terminal=True, width=100))


@pytest.mark.parametrize(("width", "has_bar"), [(100, True), (70, True), (40, False)])
def test_bar_gives_way_so_that_the_counts_stay_on_one_line(width, has_bar):
    shown = drawn(Console(width=width, color_system="standard", force_terminal=True))

    assert "0/100 finished  0 pruned  0 failed" in shown
    assert ("━" in shown) is has_bar
    assert len(shown.splitlines()) == 4
