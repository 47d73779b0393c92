from tuner.records import TrialRecord
from tuner.search.ending_note import EndingNote


def record(*, number, seconds, attributes=None):
    return TrialRecord(
        number=number, origin=number, state="complete", value=0.5, params={}, intermediate={},
        attributes=attributes or {}, started=None, seconds=seconds,
    )  # fmt: skip


def test_a_later_trial_that_compiled_makes_the_end_no_longer():
    first = record(number=0, seconds=30.0)
    others = [record(number=1, seconds=2.0),
              record(number=2, seconds=9.0, attributes={"seconds": {"compile": 5.0}})]  # fmt: skip

    left = EndingNote(runs=10, seconds=7.0, finished=None).seconds_left([first, *others])

    assert left == 10 * (2.0 + 4.0) / 2 + 7.0
