"""Parquet files and Excel workbooks, whole and broken."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from tuner.config import DataSettings
from tuner.corpus import read_documents, read_table, read_texts
from tuner.errors import ConfigError, DataError

ROWS = [("很好，推荐", "正面"), ("太差了\n退货", "负面")]


def workbook(path, rows, **more_sheets):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, content in more_sheets.items():
        sheet = book.create_sheet(name)
        for row in content:
            sheet.append(row)
    book.save(path)
    return path


def parquet(path, names, *columns):
    table = pyarrow.Table.from_arrays([pyarrow.array(column) for column in columns], names=names)
    pyarrow.parquet.write_table(table, path)
    return path


def documents(source, **data):
    found, findings = read_documents(read_table(str(source), DataSettings(**data)))
    return [(document.text, document.label, document.line) for document in found], findings


def test_parquet_gives_its_rows(tmp_path):
    path = parquet(tmp_path / "a.parquet", ["text", "label"], *zip(*ROWS, strict=True))

    assert documents(path)[0] == [(*ROWS[0], 1), (*ROWS[1], 2)]
    assert read_texts(str(path), ()) == [text for text, _ in ROWS]


def test_parquet_columns_of_utf_8_bytes_are_texts_and_others_are_refused(tmp_path):
    texts, labels = zip(*ROWS, strict=True)
    whole = parquet(tmp_path / "a.parquet", ["text", "label"], [t.encode() for t in texts], labels)
    broken = parquet(tmp_path / "b.parquet", ["text", "label"], [b"\xff", b"a"], labels)

    assert documents(whole)[0] == [(*ROWS[0], 1), (*ROWS[1], 2)]
    with pytest.raises(DataError, match="column 'text' must hold a text or a number, not bytes"):
        documents(broken)


def test_of_a_parquet_file_only_the_columns_with_the_usual_names_are_loaded(tmp_path):
    names = ["text", "text.en", "label", "taken", "title"]
    far = pyarrow.array([10**9], pyarrow.date32())  # a day that Python has no date for
    path = str(parquet(tmp_path / "a.parquet", names, ["a b"], ["c"], ["x"], far, ["d"]))

    table = read_table(path, DataSettings())

    assert dict(table.rows[0].cells) == {"text": "a b", "label": "x"}
    assert read_texts(path, ()) == ["a b"]
    assert [finding.kind for finding in table.findings] == ["unread_text_columns"]
    assert "not read: title; only text is." in table.findings[0].message


@pytest.mark.parametrize(
    "values",
    [
        pyarrow.array([10**9], pyarrow.date32()),
        pyarrow.array([10**14], pyarrow.timestamp("s")),
        pyarrow.StringArray.from_buffers(
            1, pyarrow.py_buffer(np.array([0, 1], np.int32)), pyarrow.py_buffer(b"\xff")
        ),
    ],
    ids=["date", "time", "no UTF-8"],
)
def test_value_that_cannot_be_read_is_one_line_that_names_the_file(tmp_path, values):
    path = parquet(tmp_path / "a.parquet", ["text", "label"], ["a"], values)

    with pytest.raises(
        DataError, match=r"a\.parquet: column 'label' has a value that cannot be read: "
    ) as caught:
        documents(path)

    assert "\n" not in str(caught.value)


def test_of_a_parquet_file_only_the_columns_that_are_named_are_loaded(tmp_path):
    names = ["text.en", "label", "picture", "text"]
    path = str(parquet(tmp_path / "a.parquet", names, ["a b"], ["x"], [b"much"], ["c"]))

    table = read_table(path, DataSettings(text=("text.en",), label="label"))

    assert dict(table.rows[0].cells) == {"text.en": "a b", "label": "x"}
    assert read_texts(path, ("text.en",)) == ["a b"]
    with pytest.raises(DataError, match="'txt', which is not there.*Columns: text.en, label"):
        read_table(path, DataSettings(text=("txt",), label="label"))


def test_workbook_gives_the_rows_of_its_first_sheet_with_their_numbers(tmp_path):
    rows = [[], ["id", "text", "label"], [1, *ROWS[0]], [], [2, *ROWS[1], "beside the table"]]
    found, findings = documents(workbook(tmp_path / "a.xlsx", rows, notes=[]))

    assert found == [(*ROWS[0], 3), (*ROWS[1], 5)]
    assert [(each.kind, each.count) for each in findings] == [("unread_sheets", 1)]
    assert "not read: notes; only Sheet is." in findings[0].message


def test_another_sheet_of_a_workbook_can_be_named(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["a cover"]], data=[["text", "label"], *ROWS])

    found, findings = documents(path, sheet="data")
    assert found == [(*ROWS[0], 2), (*ROWS[1], 3)]
    assert "not read: Sheet; only data is." in findings[0].message
    with pytest.raises(DataError, match=r"no rows below its header\. .*--set data\.sheet='data'"):
        documents(path)
    with pytest.raises(DataError, match=r"'dat', which is not there\. Did you mean 'data'\?"):
        documents(path, sheet="dat")


def test_formula_without_a_saved_value_is_refused_and_not_taken_for_a_gap(tmp_path):
    rows = [["text", "label", "n"], ["gut", "a", "=1+1"], [], [None, "b", 1], ["schlecht", "=A1"]]

    with pytest.raises(DataError, match="line 5: column 'label' has a formula whose value"):
        documents(workbook(tmp_path / "a.xlsx", rows))
    # One in a column that is not read does no harm.
    assert len(documents(workbook(tmp_path / "b.xlsx", rows[:-1]))[0]) == 1


def test_numbers_and_gaps_of_a_workbook_are_read_as_from_csv(tmp_path):
    rows = [["text", "label"], [2024, 1], [3.5, 2.0], [None, 1], ["ohne", None]]
    found, findings = documents(workbook(tmp_path / "a.xlsx", rows))

    assert [(text, label) for text, label, _ in found] == [("2024", "1"), ("3.5", "2")]
    assert {finding.kind: finding.count for finding in findings} == {
        "empty_text": 1,
        "missing_label": 1,
    }


@pytest.mark.parametrize("claimed", ["A1", "A1:A3", "A1:B2", "A1:Z90"])
def test_workbook_gives_all_its_rows_whatever_size_the_sheet_claims_to_have(tmp_path, claimed):
    rows = [["text", "label"], *((f"text {number}", "ab"[number % 2]) for number in range(50))]
    path = workbook(tmp_path / "a.xlsx", rows)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("sheet1.xml"):
                assert content.count(b'<dimension ref="A1:B51"') == 1
                content = content.replace(b'ref="A1:B51"', f'ref="{claimed}"'.encode())
            other.writestr(name, content)

    found, findings = documents(tmp_path / "b.xlsx")

    assert [(text, label) for text, label, _ in found] == rows[1:]
    assert findings == []


def test_cell_with_an_error_is_missing_and_no_class_of_its_own(tmp_path):
    rows = [["text", "label", "n"], ["gut", "a", "#REF!"], ["schlecht", "#N/A"], ["#NAME?", "b"]]
    found, findings = documents(workbook(tmp_path / "a.xlsx", rows))

    assert found == [("gut", "a", 2)]
    assert {finding.kind: finding.count for finding in findings} == {
        "error_cells": 2,  # in the columns that are read
        "empty_text": 1,
        "missing_label": 1,
    }
    assert findings[0].examples[0].endswith("a.xlsx, line 3, column label")


def test_ending_can_be_named(tmp_path):
    path = parquet(tmp_path / "part-0", ["text", "label"], *zip(*ROWS, strict=True))

    assert len(documents(path, format="parquet")[0]) == 2


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
@pytest.mark.parametrize("content", [b"", b"text,label\na,b\n", b"PK\x03\x04 cut", b"PAR1PAR1"])
def test_broken_file_is_one_line_that_names_it(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError) as caught:
        documents(path)

    assert str(caught.value).startswith(f"{path}: not a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(DataError, match=f"{name}: no such file"):
        documents(tmp_path / name)


def test_empty_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="sheet 'Sheet' is empty"):
        documents(workbook(tmp_path / "a.xlsx", []))
    with pytest.raises(DataError, match="no rows below its header"):
        documents(workbook(tmp_path / "b.xlsx", [["text", "label"]]))
    with pytest.raises(DataError, match="no rows"):
        documents(parquet(tmp_path / "a.parquet", ["text", "label"], [], []))


def test_column_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"row 1: column 'text' stands twice"):
        documents(workbook(tmp_path / "a.xlsx", [["text", "text", "label"], ["a", "b", "c"]]))
    with pytest.raises(DataError, match="column 'text' stands twice"):
        documents(parquet(tmp_path / "a.parquet", ["text", "text"], ["a"], ["b"]))


def test_nested_column_is_refused(tmp_path):
    path = parquet(tmp_path / "a.parquet", ["text", "label"], [["a", "b"]], ["x"])

    with pytest.raises(DataError, match=r"line 1: column 'text' must hold a text or a number"):
        documents(path)


@pytest.mark.parametrize(("name", "package"), [("a.parquet", "pyarrow"), ("a.xlsx", "openpyxl")])
def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(ConfigError, match=rf"needs {package}.*pip install 'tuner\[files\]'"):
        documents(tmp_path / name)
