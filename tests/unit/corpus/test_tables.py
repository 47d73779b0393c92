import json
import sqlite3

import pytest

from tuner.config import DataSettings
from tuner.corpus import read_documents, read_table, read_texts
from tuner.errors import ConfigError, DataError

ROWS = [("很好，推荐", "正面"), ("太差了\n退货", "负面")]


def documents(source, **data):
    found, _ = read_documents(read_table(str(source), DataSettings(**data)))
    return [(document.text, document.label) for document in found]


def test_every_format_gives_the_same_documents(tmp_path):
    quoted = [f'"{text}",{label}' for text, label in ROWS]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(quoted), encoding="utf-8")
    tabbed = [f'"{text}"\t{label}' for text, label in ROWS]
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "\n".join(tabbed), encoding="utf-8")
    objects = [{"text": text, "label": label} for text, label in ROWS]
    (tmp_path / "a.json").write_text(json.dumps(objects), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    for number, (text, label) in enumerate(ROWS):
        (tmp_path / "folder" / label).mkdir(parents=True)
        (tmp_path / "folder" / label / f"{number}.txt").write_text(text, encoding="utf-8")
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table reviews (text, label)")
    connection.executemany("insert into reviews values (?, ?)", ROWS)
    connection.commit()
    connection.close()

    for name in ("a.csv", "a.tsv", "a.json", "a.jsonl"):
        assert documents(tmp_path / name) == ROWS
    assert sorted(documents(tmp_path / "folder")) == sorted(ROWS)
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert documents(url, query="select * from reviews") == ROWS


def test_several_text_columns_are_joined_and_blanks_count_as_empty(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\n好,看,a\n,只有正文,b\n  ,,c\n标题,,\n", encoding="utf-8")

    found, findings = read_documents(
        read_table(str(path), DataSettings(text=("title", "body"), label="label"))
    )

    assert [(d.text, d.label, d.line) for d in found] == [("好 看", "a", 2), ("只有正文", "b", 3)]
    assert {finding.kind: finding.count for finding in findings} == {
        "empty_text": 1,
        "missing_label": 1,
    }


def test_line_numbers_count_quoted_line_breaks(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"two\nlines",a\nnext,b\n')

    found, _ = read_documents(read_table(str(path), DataSettings()))

    assert [document.line for document in found] == [2, 4]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "text,label\n", "no rows"),
        ("a.csv", "text,label\na,b,c\n", "line 2.*3 cells"),
        ("a.csv", 'text,label\n"open,b\n', "broken csv"),
        ("a.csv", "text,text\na,b\n", "stands twice"),
        ("a.csv", "words,label\na,b\n", "--text"),
        ("a.csv", "text,grade\na,b\n", "--label"),
        ("a.json", '{"text": 1}', "list of objects"),
        ("a.json", "[1, 2", "line 1"),
        ("a.jsonl", '{"text": "a", "label": "b"}\nnonsense\n', "line 2"),
        ("a.xyz", "text,label\na,b\n", "ending"),
    ],
)
def test_bad_table_is_named_with_its_place(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)

    with pytest.raises(DataError, match=words) as caught:
        read_table(str(tmp_path / name), DataSettings())

    assert name in str(caught.value)


def test_missing_column_suggests_the_nearest(tmp_path):
    (tmp_path / "a.csv").write_text("content,label\na,b\n")

    with pytest.raises(DataError, match="'contnet'.*Did you mean 'content'"):
        read_table(str(tmp_path / "a.csv"), DataSettings(text=("contnet",)))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_table(str(tmp_path / "nowhere.csv"), DataSettings())


def test_password_of_a_url_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        read_table("postgresql://ann:secret@db/shop", DataSettings())

    assert "secret" not in str(caught.value)
    assert "data.query" in str(caught.value)


def test_failing_query_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no such table"):
        read_table(f"sqlite:///{tmp_path / 'a.db'}", DataSettings(query="select * from nowhere"))


def test_texts_alone_need_no_label_column(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,one\n2,\n")

    assert read_texts(str(tmp_path / "a.csv"), ()) == ["one", ""]
