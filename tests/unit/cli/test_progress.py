import io
import logging
import signal
from dataclasses import replace

import pytest
from rich.console import Console

from tuner.cli.progress import LineView, LiveView
from tuner.cli.signals import Signals
from tuner.cli.tally import Tally
from tuner.cli.worker_view import WorkerView
from tuner.errors import Interrupted
from tuner.records import TrialRecord


def record(number, state="complete", value=None, seconds=2.0, **attributes):
    return TrialRecord(number, number, state, value, {"model.dropout": 0.25}, {1: 0.4, 2: 0.5},
                       attributes, None, seconds)  # fmt: skip


def test_tally_counts_and_estimates_without_the_first_trial():
    tally = Tally(10, "macro_f1", "maximize")

    for trial in (record(0, value=0.5, seconds=60.0), record(1, "pruned"),
                  record(2, "failed"), record(3, value=0.7)):  # fmt: skip
        tally.add(trial)

    assert (tally.finished, tally.pruned, tally.failed) == (3, 1, 1)
    assert tally.best.number == 3
    assert tally.seconds_left == 7 * 2.0


def test_time_left_counts_the_confirmation_at_the_price_of_whole_trials():
    tally = Tally(4, "macro_f1", "maximize", runs_after=3)

    for trial in (record(0, value=0.5, seconds=60.0), record(1, "pruned", seconds=1.0),
                  record(2, value=0.7, seconds=5.0)):  # fmt: skip
        tally.add(trial)

    assert tally.seconds_left == 1 * 3.0 + 3 * 5.0


def seconds_left_after(compiling):
    """Give the time left for 10 trials, each of 2 s beside what compiling took of those done."""
    tally = Tally(10, "macro_f1", "maximize")
    for number, seconds in enumerate(compiling):
        trial = record(number, value=0.5, seconds=2.0 + seconds)
        tally.add(replace(trial, attributes={"seconds": {"compile": seconds}}))
    return tally.seconds_left


def test_time_left_does_not_count_compiling_that_few_trials_do():
    assert seconds_left_after([9.0, 0.0, 7.0, 0.0]) == 6 * 2.0


def test_time_left_counts_compiling_where_most_trials_do_it():
    assert seconds_left_after([9.0, 7.0, 7.0, 0.0]) == 6 * (2.0 + 7.0)


def test_time_left_counts_what_comes_after_the_confirmation(lines):
    view = LineView(Tally(4, "macro_f1", "maximize"))
    view.ending_estimated(40.0)

    for number in range(2):
        view.trial_finished(record(number, value=0.5, seconds=3.0))
    view.confirmation_started(2, 0, 6.0)
    view.confirmation_run_finished(record(0, value=0.5), 0, 0.5, 3.0)
    view.confirmation_run_finished(record(1, value=0.5), 0, 0.5, 3.0)

    assert [line.rsplit("about ")[1] for line in lines] == [
        "? left", "46 s left", "43 s left", "40 s left",
    ]  # fmt: skip


def test_line_of_a_worker_counts_the_trials_of_all_and_names_the_study(lines):
    trials = [record(0, value=0.5)]
    view = WorkerView(
        Tally(4, "macro_f1", "maximize"),
        study="news",
        read_trials=lambda: trials,
        read_total=lambda: 6,
    )
    view.study_started(trials)

    trials += [record(1, value=0.8), record(2, value=0.6), record(3, "running"),
               record(4, value=0.7)]  # fmt: skip
    view.trial_finished(trials[4])

    assert lines == [
        "news trial 4 macro_f1 0.7000 | best 0.8000 (trial 1) | 4/6 finished, 0 pruned, 0 failed "
        "| 2.0 s, about 2 s left"
    ]


def test_trial_that_was_cut_off_is_said_to_run_again(lines):
    view = LineView(Tally(4, "macro_f1", "maximize"))

    view.trial_finished(record(1, "failed", failure="interrupted: its process died", retried=True))

    assert lines[0].startswith("trial 1 runs again: interrupted: its process died | no best")


def test_lower_is_better_for_a_loss():
    tally = Tally(10, "log_loss", "minimize")

    assert [tally.add(record(n, value=v)) for n, v in enumerate([0.7, 0.9, 0.5])] == [
        True, False, True,
    ]  # fmt: skip


@pytest.fixture
def lines():
    """What the product logs about progress, whatever other tests have set up."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    logger = logging.getLogger("tuner.progress")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_lines_say_what_became_of_each_trial(lines):
    view = LineView(Tally(3, "macro_f1", "maximize"))

    view.trial_finished(record(0, value=0.5))
    view.trial_finished(record(1, "pruned"))
    view.trial_finished(record(2, "failed", failure="diverged"))

    first, second, third = lines
    assert "trial 0 macro_f1 0.5000 *" in first and "1/3 finished" in first
    assert "pruned after epoch 2" in second
    assert "failed: diverged" in third


def test_lines_count_the_runs_of_a_confirmation_and_tell_earlier_ones_from_new_ones(lines):
    view = LineView(Tally(3, "macro_f1", "maximize"))

    view.confirmation_started(3, 1, 20.0)
    view.confirmation_run_finished(record(4, value=0.9), 0, 0.8, None)
    view.confirmation_run_finished(record(4, value=0.9), 1, 0.7, 6.0)
    view.confirmation_run_finished(record(5, value=0.8), 0, None, 4.0)

    done, failed = lines  # nothing is said of the run that an earlier process has finished
    assert "trial 4, run 2: macro_f1 0.7000 (search 0.9000) | 2/3 runs" in done
    assert "about 6 s left" in done
    assert "trial 5, run 1: failed" in failed and "3/3 runs" in failed


def test_live_view_shows_the_confirmation_and_who_is_ahead():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with LiveView(Tally(4, "macro_f1", "maximize"), console, title="评论") as view:
        view.study_started([record(0, value=0.8)])
        view.confirmation_started(19, 0, 90.0)
        view.confirmation_run_finished(record(0, value=0.8), 0, 0.75, 2.0)
        view.confirmation_run_finished(record(3, value=0.7), 0, 0.78, 2.0)
        view._live.refresh()

    drawn = screen.getvalue()
    assert "confirm  2/19 runs  ahead: trial 3, mean 0.7800 of 1" in drawn
    assert "about 34 s left" in drawn


def test_live_view_draws_counts_curve_and_best():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with LiveView(Tally(4, "macro_f1", "maximize"), console, title="评论") as view:
        view.study_started([record(0, value=0.8)])
        view.trial_started(1, {"model.dropout": 0.5})
        view.epoch_finished(1, 1, 0.25)
        view.epoch_finished(1, 2, 0.75)
        view._live.refresh()

    drawn = screen.getvalue()
    assert "评论" in drawn
    assert "1/4 finished" in drawn
    assert "macro_f1 0.8000" in drawn
    assert "trial 1  ▁█ 0.7500" in drawn


def test_signal_raises_at_once_before_it_is_polled_and_waits_afterwards():
    with Signals() as signals, pytest.raises(Interrupted) as caught:
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.exit_code == 143

    with Signals() as signals:
        signals.stop_requested()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            signals.stop_requested()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 130
