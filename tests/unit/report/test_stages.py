import pytest

from tuner.records import TrialRecord
from tuner.report import compiled_programs, stage_summary


def record(seconds, *, state="complete", **attributes):
    return TrialRecord(
        number=0, origin=0, state=state, value=0.5, params={}, intermediate={},
        attributes={"seconds": seconds, **attributes}, started=None, seconds=9.0,
    )  # fmt: skip


def test_share_leaves_out_what_is_paid_once_and_counts_validating_as_no_training():
    summary = stage_summary(
        [
            record({"compile": 5.0, "prepare": 1.0, "train": 2.0, "validate": 0.5}),
            record({"train": 1.0, "fine_tune": 1.0, "tell": 0.5}),
        ]
    )

    assert summary["stage_seconds"] == {
        "compile": 5.0, "train": 3.0, "prepare": 1.0, "fine_tune": 1.0, "validate": 0.5,
        "tell": 0.5,
    }  # fmt: skip
    assert summary["non_training_share"] == pytest.approx(0.2)


def test_trials_that_ran_no_epochs_of_their_own_count_nothing():
    summary = stage_summary(
        [record({"train": 1.0}, duplicate_of=3), record({"train": 1.0}, state="failed")]
    )

    assert summary == {"stage_seconds": {}, "non_training_share": None}


def test_time_of_pruned_trials_counts_too():
    summary = stage_summary([record({"train": 3.0, "claim": 1.0}, state="pruned")])

    assert summary["non_training_share"] == pytest.approx(0.25)


def test_a_program_that_two_processes_compiled_is_one_program():
    trials = [
        record({}, programs_compiled=2, programs=["train", "predict"]),
        record({}, programs_compiled=1, programs=["train"], state="pruned"),
        record({}, programs_compiled=0),
    ]

    assert compiled_programs(trials) == {"programs": 2, "programs_compiled": 3}
