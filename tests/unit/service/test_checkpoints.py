import time

import numpy as np
import pytest

from tuner.persist import FolderBlobs
from tuner.records import TrialState
from tuner.service.checkpoints import BlobCheckpoint, SaveCost, drop_checkpoints


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobs(tmp_path)


def checkpoint(blobs, *, attempt, origin=3, identity="this", every=0.0, cost=None):
    return BlobCheckpoint(
        blobs, origin=origin, attempt=attempt, identity=identity, every_seconds=every,
        cost=cost or SaveCost(),
    )  # fmt: skip


def state(epoch):
    return TrialState({"weights/w": np.full(3, epoch, np.float32)}, {"phase": "train"}, epoch)


def test_next_attempt_goes_on_from_the_newest_state_of_those_before(blobs):
    checkpoint(blobs, attempt=1).save(state(1))
    checkpoint(blobs, attempt=2).save(state(2))

    found = checkpoint(blobs, attempt=4).load()

    assert (found.about, found.epoch) == ({"phase": "train"}, 2)
    assert np.array_equal(found.arrays["weights/w"], [2, 2, 2])
    assert checkpoint(blobs, attempt=4, origin=5).load() is None


def test_damaged_state_is_passed_over(blobs, tmp_path):
    checkpoint(blobs, attempt=1).save(state(1))
    checkpoint(blobs, attempt=2).save(state(2))
    (tmp_path / "checkpoint-3-2.blob").write_bytes(b"torn")

    assert checkpoint(blobs, attempt=3).load().epoch == 1


def test_state_of_another_trial_of_the_same_number_is_passed_over(blobs):
    checkpoint(blobs, attempt=1).save(state(1))
    checkpoint(blobs, attempt=2, identity="another").save(state(2))

    assert checkpoint(blobs, attempt=2).load().epoch == 1
    assert checkpoint(blobs, attempt=2, identity="a third").load() is None


def test_state_of_a_robbed_attempt_does_not_touch_its_successor(blobs):
    robbed, successor = checkpoint(blobs, attempt=1), checkpoint(blobs, attempt=2)
    successor.save(state(7))
    robbed.save(state(3))

    assert successor.load().epoch == 7


def test_end_of_a_trial_removes_the_states_of_all_its_attempts(blobs):
    checkpoint(blobs, attempt=1).save(state(1))
    last = checkpoint(blobs, attempt=2)
    last.save(state(2))
    checkpoint(blobs, attempt=1, origin=4).save(state(1))

    last.clear()

    assert blobs.keys() == ["checkpoint-4-1"]


def test_states_that_a_deleted_study_has_left_are_let_go(blobs):
    checkpoint(blobs, attempt=1).save(state(1))
    checkpoint(blobs, attempt=2, origin=12).save(state(1))
    blobs.put("parts-0f", b"")

    drop_checkpoints(blobs)

    assert blobs.keys() == ["parts-0f"]


class Clock:
    """Time that passes when it is told to; storing a state takes `put_seconds` of it."""

    def __init__(self, monkeypatch, *, put_seconds):
        self.now = 0.0
        self._put_seconds = put_seconds
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def put(self, key, content):
        self.now += self._put_seconds

    def epochs(self, kept, seconds, n):
        """Give the epochs after which a state was stored."""
        stored = []
        for epoch in range(1, n + 1):
            self.now += seconds
            if kept.is_due():
                kept.save(state(epoch))
                stored.append(epoch)
        return stored


def test_state_that_is_stored_fast_is_stored_after_every_epoch(monkeypatch):
    clock = Clock(monkeypatch, put_seconds=0.1)
    kept = checkpoint(clock, attempt=1, every=10.0)

    assert clock.epochs(kept, 6.0, 4) == [1, 2, 3, 4]


def test_state_that_is_not_is_stored_when_ten_seconds_were_worked(monkeypatch):
    clock = Clock(monkeypatch, put_seconds=0.1)
    cost = SaveCost()

    # The first one of a process tells what storing takes.
    first = checkpoint(clock, attempt=1, every=10.0, cost=cost)
    assert clock.epochs(first, 2.0, 8) == [1, 6]
    assert clock.epochs(checkpoint(clock, attempt=1, every=10.0, cost=cost), 2.0, 8) == [5]


def test_storing_takes_at_most_a_twentieth_of_the_time(monkeypatch):
    clock = Clock(monkeypatch, put_seconds=2.0)
    kept = checkpoint(clock, attempt=1, every=10.0)

    assert clock.epochs(kept, 5.0, 20) == [1, 9, 17]


def test_without_a_time_it_is_stored_after_every_epoch(monkeypatch):
    clock = Clock(monkeypatch, put_seconds=2.0)

    assert clock.epochs(checkpoint(clock, attempt=1), 0.1, 4) == [1, 2, 3, 4]
