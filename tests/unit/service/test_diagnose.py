"""The doctor on whole tables: what is looked at, what is said, and what stays sealed."""

from __future__ import annotations

import csv
import io
import random

import pytest

from tests.conftest import rich_rows, write_csv
from tuner.config import load_settings
from tuner.records import Document
from tuner.service import diagnose_parts, read_sources, split_sources, store_parts, suspects_csv
from tuner.service.collect import Collected
from tuner.service.label_suspects import SuspectRow


def examine(path, **data):
    settings = load_settings(
        overrides=[("data.path", str(path)), *((f"data.{k}", str(v)) for k, v in data.items())]
    )
    collected = split_sources(read_sources(settings), settings)
    return diagnose_parts(collected, settings), collected, settings


def kinds(diagnosis):
    return {finding.kind: finding for finding in diagnosis.findings}


def test_clean_table_is_left_in_peace(tmp_path):
    diagnosis, _, _ = examine(write_csv(tmp_path / "a.csv", rich_rows(400)))

    assert (diagnosis.findings, diagnosis.suspects) == ((), ())


def test_flipped_labels_are_listed_with_file_line_and_the_likelier_label(tmp_path):
    rows = rich_rows(600)
    flipped = random.Random(1).sample(range(600), 30)
    for row in flipped:
        rows[row] = (rows[row][0], {"正面": "负面", "负面": "正面"}[rows[row][1]])

    diagnosis, _, _ = examine(write_csv(tmp_path / "a.csv", rows))

    lines = {suspect.document.line for suspect in diagnosis.suspects}
    assert lines
    assert lines <= {row + 2 for row in flipped}  # the header is line 1
    assert all(s.suggested != s.document.label for s in diagnosis.suspects)
    finding = kinds(diagnosis)["label_noise"]
    assert (finding.severity, finding.count) == ("warning", len(diagnosis.suspects))
    assert "a.csv, line" in finding.examples[0]


def test_tag_that_gives_the_label_away_is_named(tmp_path):
    rows = [
        (f"【体育频道】{text}" if label == "正面" and row % 3 else text, label)
        for row, (text, label) in enumerate(rich_rows(400))
    ]

    diagnosis, _, _ = examine(write_csv(tmp_path / "a.csv", rows))

    finding = kinds(diagnosis)["leaking_token"]
    assert "【体育频道】" in finding.message
    assert "正面" in finding.message
    assert finding.severity == "warning"


def test_many_leaks_are_told_in_a_few_lines(tmp_path):
    rows = [(f"[c{row % 14}] {text}", f"c{row % 14}") for row, (text, _) in
            enumerate(rich_rows(560))]  # fmt: skip

    diagnosis, _, _ = examine(write_csv(tmp_path / "a.csv", rows))

    leaks = [f for f in diagnosis.findings if f.kind == "leaking_token"]
    assert len(leaks) == 11
    assert "4 more" in leaks[-1].message


def test_given_test_file_of_another_source_and_other_shares_is_noted(tmp_path):
    rows = rich_rows(600)
    other = [(f"{text} 转自网络", label) for row, (text, label) in enumerate(rows[400:])
             if label == "正面" or row % 4 == 1]  # fmt: skip
    data, test = write_csv(tmp_path / "a.csv", rows[:400]), write_csv(tmp_path / "t.csv", other)

    found = kinds(examine(data, test=test)[0])

    assert set(found) == {"test_text_drift", "test_class_drift"}
    assert found["test_text_drift"].count == len(other)
    assert "AUC" in found["test_text_drift"].message
    assert "转自" in found["test_text_drift"].message


def test_given_files_that_are_like_the_data_are_no_finding(tmp_path):
    rows = rich_rows(700)
    data = write_csv(tmp_path / "a.csv", rows[:400])
    validation = write_csv(tmp_path / "v.csv", rows[400:550])
    test = write_csv(tmp_path / "t.csv", rows[550:])

    assert examine(data, validation=validation, test=test)[0].findings == ()


class Sealed(tuple):
    """A test part that may not be looked into."""

    def __iter__(self):
        raise AssertionError("the sealed test part was read")

    __getitem__ = __iter__


def test_test_part_split_off_here_is_never_read(tmp_path):
    _, collected, settings = examine(write_csv(tmp_path / "a.csv", rich_rows(200)))

    diagnose_parts(Collected(collected.parts, Sealed(collected.test), ()), settings)


def test_test_part_of_a_collected_folder_is_never_read(tmp_path):
    _, collected, settings = examine(write_csv(tmp_path / "a.csv", rich_rows(200)))
    store_parts(tmp_path / "parts", collected, settings)
    settings = load_settings(
        overrides=[("data.path", str(tmp_path / "parts")), ("data.test", "ignored.csv")]
    )

    diagnose_parts(Collected(collected.parts, Sealed(collected.test), ()), settings)


def test_sampling_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.service.label_suspects.ROWS_MAX", 100)

    finding = kinds(examine(write_csv(tmp_path / "a.csv", rich_rows(400)))[0])["sampled"]

    assert (finding.severity, finding.count) == ("info", 100)


@pytest.mark.parametrize("n", [20, 24])
def test_smallest_usable_tables_do_no_harm(tmp_path, n):
    examine(write_csv(tmp_path / "a.csv", rich_rows(n)))


def test_csv_of_suspects_opens_in_a_spreadsheet_and_runs_no_formula():
    document = Document('=HYPERLINK("x")\r第二行', "+正面", "a.csv", 7)

    written = suspects_csv([SuspectRow(document, "负面", 0.012345)])

    assert written.startswith("\ufeff")
    (row,) = csv.DictReader(io.StringIO(written.removeprefix("\ufeff")))
    assert row == {
        "file": "a.csv", "line": "7", "given_label": "'+正面", "suggested_label": "负面",
        "self_confidence": "0.0123", "text": "'=HYPERLINK(\"x\")\n第二行",
    }  # fmt: skip
