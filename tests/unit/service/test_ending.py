"""When a search makes room for its confirmation and its end."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from tuner.config import Settings
from tuner.evaluation import repetitions
from tuner.records import Document, SearchParts, TrialRecord
from tuner.service import ConfirmationPlan
from tuner.service.confirmation_clock import ConfirmationClock
from tuner.service.ending import Limits, ends_early_rule
from tuner.service.ending_cost import EndingCost


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Unheard:
    def confirmation_run_finished(self, *_):
        pass


def trial(number, seconds, compiling=0.0, state="complete"):
    attributes = {"seconds": {"compile": compiling}}
    return TrialRecord(number, number, state, 0.5, {}, {}, attributes, None, seconds)


def parts(n_selection):
    rows = tuple(Document(str(n), "x", "a.csv", n) for n in range(n_selection))
    return SearchParts(rows, rows, rows, ("x", "y"), "0" * 64, 100)


def rule_for(clock, *, budget, confirmation, after=0.0, elsewhere=False, n_earlier=0):
    return ends_early_rule(
        SimpleNamespace(parts=parts(100), settings=Settings()),
        Limits(clock.now, 1e9, budget),
        stops_when_flat=False,
        confirmation=confirmation,
        ending=lambda: SimpleNamespace(seconds=lambda _: after),
        trains_elsewhere=elsewhere,
        n_earlier=n_earlier,
        clock=clock,
    )


# Trials of 10 s beside 20 s of compiling in the first: one more takes 10 s. A confirmation 3:2 of
# the best three and the default is seven runs in all.
@pytest.mark.parametrize(
    ("confirmation", "given", "seconds"),
    [
        (None, {}, 10),
        (None, {"after": 25.0}, 35),
        (ConfirmationPlan(3, 2), {}, 80),
        (ConfirmationPlan(3, 2), {"after": 25.0, "elsewhere": True}, 125),  # it compiles anew
        (ConfirmationPlan(3, 2), {"n_earlier": 3}, 100),  # and so does a run that goes on
        (ConfirmationPlan(3, 2), {"n_earlier": 2}, 80),
    ],
)
def test_budget_leaves_room_for_one_more_trial_the_confirmation_and_the_end(
    confirmation, given, seconds
):
    found = [trial(0, 30.0, compiling=20.0), trial(1, 10.0), trial(2, 10.0)]

    def outcome(budget):
        return rule_for(Clock(), budget=budget, confirmation=confirmation, **given)(found)

    assert outcome(seconds + 1) is None
    assert outcome(seconds) == "budget"


def test_another_backbone_that_was_compiled_lets_the_next_trial_be_one_that_compiles():
    found = [trial(0, 30.0, compiling=20.0), trial(1, 22.0, compiling=12.0), trial(2, 10.0)]

    assert rule_for(Clock(), budget=10 + 12 + 1, confirmation=None)(found) is None
    assert rule_for(Clock(), budget=10 + 12, confirmation=None)(found) == "budget"


def test_one_more_trial_is_one_more_contender():
    """One trial and the next one: 2 contenders, 5 seeds each."""
    plan = ConfirmationPlan(5, 5)

    assert rule_for(Clock(), budget=10 + 100 + 1, confirmation=plan)([trial(0, 10.0)]) is None
    assert rule_for(Clock(), budget=10 + 100, confirmation=plan)([trial(0, 10.0)]) == "budget"


def test_the_first_trial_does_not_wait_for_the_rehearsal_of_the_end():
    def rehearse():
        raise AssertionError("the end is rehearsed before a trial is complete")

    rule = ends_early_rule(
        SimpleNamespace(parts=parts(100), settings=Settings()),
        Limits(1_000.0, 1e9, 1e9),
        stops_when_flat=False,
        confirmation=None,
        ending=rehearse,
        trains_elsewhere=False,
        n_earlier=0,
    )

    assert rule([]) is None
    assert rule([trial(0, 1.0, state="failed")]) is None


def test_one_trial_is_run_whatever_the_budget():
    clock = Clock()
    rule = rule_for(clock, budget=1.0, confirmation=None, after=25.0)
    clock.now += 10.0

    assert rule([]) is None
    assert rule([trial(0, 10.0)]) == "budget"


def simulated_seconds(*, budget, trial_seconds, run_seconds, end_seconds, total=200):
    """Run a study by its rules against a clock that only work moves; give the seconds it took."""
    clock = Clock()
    began, plan = clock.now, ConfirmationPlan(5, 5)
    rule = rule_for(clock, budget=budget, confirmation=plan, after=end_seconds)
    trials, lengths = [], itertools.cycle(trial_seconds)
    while len(trials) < total and rule(trials) is None:
        seconds = next(lengths) if trials else 20.0
        trials.append(trial(len(trials), seconds, compiling=0.0 if trials else 15.0))
        clock.now += seconds
    watch = ConfirmationClock(
        Unheard(), n_seeds=5, deadline=began + budget - end_seconds, clock=clock
    )
    leaving = repetitions(min(5, len(trials)), 5)
    for repetition in range(5):
        if repetition >= 2 and watch.is_up():
            break
        for contender in range(sum(stop > repetition for stop in leaving)):
            clock.now += run_seconds
            watch.confirmation_run_finished(trials[contender], repetition, 0.5, run_seconds)
    clock.now += end_seconds
    return clock.now - began, len(trials)


@pytest.mark.parametrize("budget", [150, 200, 400, 1_000])
def test_a_whole_study_ends_within_its_budget_and_uses_most_of_it(budget):
    spent, n_trials = simulated_seconds(
        budget=budget, trial_seconds=(4.0, 6.0, 5.0), run_seconds=5.0, end_seconds=25.0
    )

    assert spent <= budget
    assert n_trials >= 2
    assert spent >= budget - 40  # a trial, and the contenders it may bring with it


@pytest.mark.parametrize("run_seconds", [7.0, 9.0])
def test_a_confirmation_slower_than_foreseen_is_cut_so_that_the_end_still_fits(run_seconds):
    spent, _ = simulated_seconds(
        budget=400, trial_seconds=(5.0,), run_seconds=run_seconds, end_seconds=25.0
    )

    assert spent <= 400


def test_confirmation_goes_on_while_another_repetition_fits():
    """Five contenders of 10 s each leave after 2, 3, 4, 5, 5: four of them run a third time."""
    clock = Clock()
    watch = ConfirmationClock(Unheard(), n_seeds=5, deadline=clock.now + 41.0, clock=clock)
    for repetition in range(2):
        for number in range(5):
            watch.confirmation_run_finished(trial(number, 9.0), repetition, 0.5, 10.0)

    assert not watch.is_up()
    clock.now += 1.0
    assert watch.is_up()


def test_runs_of_an_earlier_process_tell_nothing_of_this_ones_speed():
    clock = Clock()
    watch = ConfirmationClock(Unheard(), n_seeds=5, deadline=clock.now + 1.0, clock=clock)
    for repetition in range(2):
        watch.confirmation_run_finished(trial(0, 9.0), repetition, 0.5, None)

    assert not watch.is_up()


def test_end_costs_more_the_more_rows_and_trials_there_are():
    """A pass of 30 s over 300 open rows; 200 scored by the winner, 100 of test by it and trial 0.

    With a quarter more, and 3 s for what is fixed.
    """
    slow = TrialRecord(0, 0, "complete", 0.5, {}, {}, {"seconds": {"prefix": 30.0}}, None, 40.0)
    cost = EndingCost(8.0, parts(100))

    assert cost.seconds([]) == 8.0 * 1.25 + 3.0
    assert cost.seconds([slow]) == pytest.approx((8.0 + 40.0 + 0.02) * 1.25 + 3.0)
