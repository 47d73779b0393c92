"""Texts of a corpus one after the other."""

from __future__ import annotations

import gzip
import json
from itertools import islice

import pytest

from tuner.corpus import stream_texts
from tuner.corpus.tables import read_texts
from tuner.errors import DataError

TEXTS = ["很好，“满意”", "second, with a comma", "第三\t行", "mit ß"]


def write(path, encoding="utf-8"):
    if path.suffix == ".jsonl":
        lines = [json.dumps({"id": n, "text": t}) for n, t in enumerate(TEXTS)]
    elif path.suffix == ".csv":
        lines = ["id,text", *(f'{n},"{t}"' for n, t in enumerate(TEXTS))]
    else:
        lines = TEXTS
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
    return path


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_all_texts_come_in_order_whatever_the_encoding(tmp_path, ending, encoding):
    path = write(tmp_path / f"corpus.{ending}", encoding)

    assert list(stream_texts(str(path), ())) == TEXTS


def test_large_chinese_utf16_without_a_mark_is_recognised(tmp_path):
    texts = ["一开始最好，再看一遍也一样：😀"] * 50_000  # 1.6 MB
    path = tmp_path / "corpus.txt"
    path.write_bytes("".join(f"{text}\n" for text in texts).encode("utf-16-le"))

    assert list(stream_texts(str(path), ())) == texts


def test_chinese_may_begin_late_in_a_large_file(tmp_path):
    texts = ["good"] * 400_000 + ["这家酒店很好"]  # 2 MB
    path = tmp_path / "corpus.txt"
    path.write_bytes("".join(f"{text}\n" for text in texts).encode("gb18030"))

    assert list(stream_texts(str(path), ())) == texts


def test_a_compressed_table_gives_what_reading_it_whole_gives(tmp_path):
    plain = write(tmp_path / "corpus.csv")
    path = tmp_path / "corpus.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))

    assert list(stream_texts(str(path), ("text", "id"))) == read_texts(str(plain), ("text", "id"))


def test_what_comes_first_is_given_before_the_rest_is_read(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"text": "good"}\n' * 3 + "broken\n", encoding="utf-8")
    texts = stream_texts(str(path), ())

    assert list(islice(texts, 3)) == ["good"] * 3
    with pytest.raises(DataError, match=r"line 4: must be one JSON object"):
        next(texts)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b"good\n" + bytes([0xFF, 0xFE, 0xFA]) * 9, "UTF-8, UTF-16 or GB18030"),
        ("a.txt", "好\n".encode() * 400_000 + b"\xff", "UTF-8 throughout"),
        ("a.txt", b"good\n" * 400_000 + b"I don\x92t\n", "line 400001: .*Save it as UTF-8"),
        ("a.txt", b"good\n" * 9 + "好".encode() + b"\nI don\x92t\n", "line 11: "),
        ("a.txt.gz", b"no archive", "cannot be read"),
        ("a.jsonl", b"[1]\n", "line 1: must be one JSON object"),
        ("a.jsonl", b'{"text": ["a"]}\n', "line 1: column 'text' must hold a text"),
        ("a.csv", b'text\n"open\n', "broken csv"),
        ("a.csv", b"text\na,b\n", "line 2: 2 cells"),
        ("a.csv", b"one,two\na,b\n", "which column holds the text"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=said) as caught:
        list(stream_texts(str(path), ()))
    assert str(path) in str(caught.value)


def test_a_text_file_has_no_columns(tmp_path):
    with pytest.raises(DataError, match="--text names a column"):
        list(stream_texts(str(write(tmp_path / "a.txt")), ("text",)))


def test_a_folder_of_classes_is_read_as_a_table(tmp_path):
    for number, text in enumerate(TEXTS):
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        (tmp_path / f"class{number % 2}" / f"{number}.txt").write_text(text, encoding="utf-8")

    assert sorted(stream_texts(str(tmp_path), ())) == sorted(TEXTS)
