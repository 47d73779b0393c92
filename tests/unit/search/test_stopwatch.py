"""The stages of a trial outside its training, by a clock that the tests move."""

import pytest

from tuner.search import stopwatch
from tuner.search.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def spend(self, watch, stage, seconds):
            with watch.stage(stage):
                self.now += seconds

    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock.now)
    return clock


def test_stage_entered_twice_adds_up_and_a_new_trial_begins_at_nothing(clock):
    watch = Stopwatch()
    watch.begin()
    clock.spend(watch, "claim", 1.0)
    clock.spend(watch, "claim", 2.0)
    first = watch.seconds()
    watch.begin()

    assert first == {"tell": 0.0, "claim": 3.0}
    assert watch.seconds() == {"tell": 0.0}


def test_telling_a_trial_is_noted_by_the_next_one(clock):
    watch = Stopwatch()
    watch.begin()
    clock.spend(watch, "tell", 1.5)
    own = watch.seconds()
    clock.spend(watch, "tell", 0.5)
    watch.begin()

    assert own == {"tell": 0.0}
    assert watch.seconds() == {"tell": 2.0}
