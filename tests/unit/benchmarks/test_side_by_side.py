"""`make bench` again: what its files have is not measured anew, and a kill's torn line is none."""

import importlib
import json
import sys
from types import ModuleType

import pytest
from code_key import code_key
from json_lines import JsonLines, read_lines
from side_by_side import Lines


@pytest.mark.parametrize(
    ("script", "arguments", "file", "row"),
    [
        ("profile_trial", ["--backbone", "average"], "profile", {"backbone": "average"}),
        ("fasttext_epoch", ["--rounds", "5"], "fasttext", {"rounds": 5}),
        ("memory_growth", ["--trials", "9"], "memory_growth", {"trials": 9}),
        ("many_trials", ["--finished", "9"], "many_trials", {"finished": 9, "seconds": 60.0}),
    ],
)
def test_a_script_that_is_done_measures_nothing_again(
    script, arguments, file, row, tmp_path, monkeypatch
):
    # Of the extra `bench`; nothing is to be trained with it here.
    monkeypatch.setitem(sys.modules, "fasttext", ModuleType("fasttext"))
    module = importlib.import_module(script)
    monkeypatch.setattr(module, "open_bench", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(sys, "argv", [script, *arguments, "--output", str(tmp_path)])
    done = tmp_path / f"{file}.jsonl"
    line = json.dumps({**row, "code": code_key()}) + "\n"
    done.write_text(line, encoding="utf-8")

    module.main()

    assert done.read_text("utf-8") == line


def test_measurements_go_on_behind_a_line_that_a_kill_has_torn(tmp_path):
    file = tmp_path / "lines.jsonl"
    Lines(file).add({"turn": 0})
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"turn": 1, "sec')

    Lines(file).add({"turn": 1})

    assert [row["turn"] for row in Lines(file).rows] == [0, 1]


def test_what_other_code_has_measured_stays_in_the_file_and_counts_for_nothing(tmp_path):
    file = tmp_path / "lines.jsonl"
    JsonLines(file, code="before").add({"turn": 0})
    JsonLines(file, code="after").add({"turn": 0, "seconds": 1.0})

    assert [row["code"] for row in read_lines(file)] == ["before", "after"]
    assert JsonLines(file, code="after").having(turn=0) == [
        {"turn": 0, "seconds": 1.0, "code": "after"}
    ]


def test_the_same_summary_stands_once(tmp_path):
    lines = Lines(tmp_path / "lines.jsonl")

    lines.sum_up({"summary": {"ratio": 2.0, "trials": [1, 2]}})
    lines.sum_up({"summary": {"ratio": 2.0, "trials": [1, 2]}})

    assert len(Lines(tmp_path / "lines.jsonl").rows) == 1
