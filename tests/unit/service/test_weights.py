"""Which trials' weights stay on the disk."""

from __future__ import annotations

import pytest

from tests.fake_trainer import run_fake
from tuner.cli.main import cli, run_command
from tuner.config import Settings
from tuner.persist import FolderBlobs
from tuner.records import TrialRecord
from tuner.service.weights import BlobTrials


def trial(number, value, state="complete"):
    return TrialRecord(number, number, state, value, {}, {}, {"weights": f"w{number}"}, None, 1.0)


@pytest.mark.parametrize(
    ("n_kept", "stay"), [(1, ["w0", "w3", "w5"]), (2, ["w0", "w1", "w3", "w5"])]
)
def test_the_best_trial_0_and_running_ones_keep_theirs(tmp_path, n_kept, stay):
    blobs = FolderBlobs(tmp_path)
    trials = [
        trial(0, 0.1), trial(1, 0.8), trial(2, 0.7), trial(3, 0.9), trial(4, None, "pruned"),
        trial(5, None, "running"),
    ]  # fmt: skip
    for each in trials:
        blobs.put(each.attributes["weights"], b"")

    BlobTrials(blobs, n_kept=n_kept).drop_weights(trials, "maximize")

    assert blobs.keys() == stay


def test_states_that_a_killed_worker_left_of_finished_trials_are_let_go(tmp_path):
    blobs = FolderBlobs(tmp_path)
    trials = [trial(0, 0.5), trial(10, None, "pruned"), trial(1, None, "running")]
    for key in ("checkpoint-0-1", "checkpoint-10-2", "checkpoint-1-1", "parts-0f", "w0"):
        blobs.put(key, b"")

    BlobTrials(blobs, n_kept=1).drop_weights(trials, "maximize")

    assert blobs.keys() == ["checkpoint-1-1", "parts-0f", "w0"]


@pytest.mark.parametrize(("n_better", "is_stored"), [(0, True), (1, True), (2, False)])
def test_weights_that_can_no_longer_win_are_not_written(tmp_path, n_better, is_stored):
    blobs = FolderBlobs(tmp_path)
    outcome = run_fake(
        Settings(), seeds=None, report=lambda **_: None, stop_requested=lambda: None
    )

    digest = BlobTrials(blobs, n_kept=2).keep_weights(outcome, n_better=n_better)

    assert blobs.keys() == ([digest] if is_stored else [])


def test_fewer_kept_than_the_confirmation_needs_is_refused(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code = run_command(
        cli,
        ["optimize", "--data", str(table), "--trials", "1", "--confirm", "3:2",
         "--set", "workers.weights_kept=2"],
    )  # fmt: skip

    said = capsys.readouterr().err
    assert code == 2
    assert "workers.weights_kept must be at least the K of --confirm" in said
    assert "got 2 with 3:2" in said
    assert not (tmp_path / "runs").exists()
