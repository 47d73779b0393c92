import time

import numpy as np
import pytest

from tuner.persist import FolderBlobs
from tuner.records import TrialState
from tuner.service.checkpoints import BlobCheckpoint


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobs(tmp_path)


def checkpoint(blobs, *, attempt, origin=3, every=0.0):
    return BlobCheckpoint(blobs, origin=origin, attempt=attempt, every_seconds=every)


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


def test_saving_is_due_only_after_enough_work(blobs):
    assert checkpoint(blobs, attempt=1).is_due()
    often = checkpoint(blobs, attempt=1, every=0.05)
    assert not often.is_due()
    time.sleep(0.06)
    assert often.is_due()
    often.save(state(1))
    assert not often.is_due()
