"""`make bench` again: what its files have is not measured anew, and a kill's torn line is none."""

import importlib
import json
import sys
from types import ModuleType

import pytest
from side_by_side import Lines


@pytest.mark.parametrize(
    ("script", "arguments", "file", "row"),
    [
        ("profile_trial", ["--backbone", "average"], "profile", {"backbone": "average"}),
        ("fasttext_epoch", ["--rounds", "5"], "fasttext", {"rounds": 5}),
        ("memory_growth", ["--trials", "9"], "memory_growth", {"trials": 9}),
        ("many_trials", ["--finished", "9"], "many_trials", {"finished": 9, "trials": 10}),
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
    done.write_text(json.dumps(row) + "\n", encoding="utf-8")

    module.main()

    assert json.loads(done.read_text("utf-8")) == row


def test_measurements_go_on_behind_a_line_that_a_kill_has_torn(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text('{"turn": 0}\n{"turn": 1, "sec', encoding="utf-8")

    Lines(file).add({"turn": 1})

    assert Lines(file).rows == [{"turn": 0}, {"turn": 1}]


def test_the_same_summary_stands_once(tmp_path):
    lines = Lines(tmp_path / "lines.jsonl")

    lines.sum_up({"summary": {"ratio": 2.0, "trials": [1, 2]}})
    lines.sum_up({"summary": {"ratio": 2.0, "trials": [1, 2]}})

    assert len(Lines(tmp_path / "lines.jsonl").rows) == 1
