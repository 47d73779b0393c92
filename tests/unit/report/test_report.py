import csv
import io

from tuner.records import Finding, TrialRecord
from tuner.report import csv_cell, csv_row_writer, study_note, trials_csv


def record(**changes):
    return TrialRecord(
        **{
            "number": 1, "origin": 1, "state": "complete", "value": 0.5, "params": {"m.x": 0.1},
            "intermediate": {1: 0.4}, "attributes": {}, "started": None, "seconds": 1.0,
        } | changes
    )  # fmt: skip


def test_trials_table_has_a_row_a_trial_and_says_what_failed():
    table = trials_csv([record(), record(number=2, state="failed", value=None,
                                         attributes={"failure": "=cmd()"})])  # fmt: skip

    head, first, second = table.splitlines()
    assert head.startswith("\ufeffnumber,state,value") and "m.x" in head
    assert first.startswith("1,complete,0.5")
    assert "'=cmd()" in second


def test_formulas_are_neutralised_and_numbers_are_not():
    assert [csv_cell(value) for value in ("=A1", "@x", "-1+2", "ok", -1.0, "-1")] == [
        "'=A1", "'@x", "'-1+2", "ok", -1.0, "-1",
    ]  # fmt: skip


def test_a_lone_carriage_return_tears_no_row_and_lets_no_formula_begin_one():
    file = io.StringIO(newline="")
    write_row = csv_row_writer(file)
    write_row(["label", "text"])
    write_row(["正面", "很好\r=cmd()"])
    write_row(["负面", "\r\n=cmd()"])
    write_row(["负面", "a\rb\r\nc"])

    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))

    assert rows == [["label", "text"], ["正面", "很好\n=cmd()"], ["负面", "'\n=cmd()"],
                    ["负面", "a\nb\nc"]]  # fmt: skip
    assert "\r" not in file.getvalue()


def test_note_shows_user_text_and_never_runs_it():
    result = {
        "study": "<img src=x>", "trial": 3,
        "objective": {"metric": "macro_f1", "value": 0.9},
        "data": {"train": 6, "validation": 2, "selection": 1, "test": 1, "classes": ["a", "b"]},
        "test": {"accuracy": 0.8, "macro_f1": 0.7, "reads": 1},
        "baselines": {"majority": {"test": {"accuracy": 0.5, "macro_f1": 0.3}}},
    }  # fmt: skip

    note = study_note(result, [Finding("k", "warning", 2, "rows <script>alert(1)</script>")])

    assert "<img" not in note and "<script" not in note
    assert "0.7000" in note and "majority" in note
