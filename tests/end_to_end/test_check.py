"""`tuner check` through the real command."""

from __future__ import annotations

import csv
import json
import random

import pytest

from tests.conftest import rich_rows, run_tuner, write_csv


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A table with flips and a tag, and a test file with a class of its own, checked."""
    folder = tmp_path_factory.mktemp("check")
    rows = rich_rows(800)
    flipped = random.Random(2).sample(range(600), 30)
    for row in flipped:
        rows[row] = (rows[row][0], {"正面": "负面", "负面": "正面"}[rows[row][1]])
    tagged = [
        (f"{text}【来源甲】" if label == "负面" and row % 2 + row % 3 else text, label)
        for row, (text, label) in enumerate(rows)
    ]
    write_csv(folder / "data.csv", tagged[:600])
    write_csv(folder / "test.csv", [*rows[600:], ("没见过的话", "新类")])
    result = run_tuner("check", "--data", "data.csv", "--test", "test.csv", "--json",
                       "--suspects", "out/doubts.csv", cwd=folder)  # fmt: skip
    return folder, result, {row + 2 for row in flipped}


def test_warnings_end_with_exit_code_0_and_nothing_is_written_but_the_suspects(checked):
    folder, result, _ = checked

    assert result.returncode == 0, result.stderr
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "data.csv", "test.csv", "out/doubts.csv",
    }  # fmt: skip


def test_json_carries_every_finding_and_every_suspect(checked):
    _, result, _ = checked
    content = json.loads(result.stdout)

    kinds = {finding["kind"] for finding in content["findings"]}
    assert {"label_noise", "leaking_token", "test_text_drift", "classes_without_train"} <= kinds
    noise = next(f for f in content["findings"] if f["kind"] == "label_noise")
    assert noise["count"] == len(content["suspects"]) > 0
    assert set(content["suspects"][0]) == {
        "file", "line", "given_label", "suggested_label", "self_confidence", "text",
    }  # fmt: skip


def test_suspects_file_names_the_flipped_lines(checked):
    folder, result, flipped = checked
    content = (folder / "out" / "doubts.csv").read_bytes()

    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [int(row["line"]) for row in rows] == [
        suspect["line"] for suspect in json.loads(result.stdout)["suspects"]
    ]
    assert {int(row["line"]) for row in rows} <= flipped


def test_table_for_people_says_the_same(checked):
    folder, _, _ = checked

    result = run_tuner("check", "--data", "data.csv", "--test", "test.csv", cwd=folder)

    assert result.returncode == 0, result.stderr
    assert "【来源甲】" in result.stdout
    assert "whose label a simple model doubts" in result.stdout
    assert "AUC" in result.stdout
    assert "'新类'" in result.stdout


def test_clean_table_has_nothing_to_complain_about(tmp_path):
    write_csv(tmp_path / "data.csv", rich_rows(400))

    result = run_tuner("check", "--data", "data.csv", cwd=tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert "nothing to complain about" in result.stdout


def test_data_errors_end_with_exit_code_3_and_write_no_suspects(tmp_path):
    write_csv(tmp_path / "data.csv", [(text, "a") for text, _ in rich_rows(60)])

    result = run_tuner("check", "--data", "data.csv", "--suspects", "doubts.csv", cwd=tmp_path)

    assert result.returncode == 3
    assert not (tmp_path / "doubts.csv").exists()


def test_suspects_never_replace_the_data(tmp_path):
    table = write_csv(tmp_path / "data.csv", rich_rows(60))
    before = table.read_bytes()

    result = run_tuner("check", "--data", "data.csv", "--suspects", "./data.csv", cwd=tmp_path)

    assert result.returncode == 2
    assert "--suspects" in result.stderr
    assert table.read_bytes() == before
