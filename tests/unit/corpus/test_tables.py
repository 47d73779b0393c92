import gzip
import json
import sqlite3

import pytest

from tuner.config import DataSettings
from tuner.corpus import read_documents, read_table, read_texts, stream_texts
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
    (tmp_path / "a.db").touch()

    with pytest.raises(DataError, match="no such table"):
        read_table(f"sqlite:///{tmp_path / 'a.db'}", DataSettings(query="select * from nowhere"))


def test_texts_alone_need_no_label_column(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,one\n2,\n")

    assert read_texts(str(tmp_path / "a.csv"), ()) == ["one", ""]


def refusal(path, content, **data):
    """Write a table that cannot be read, and give the message."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_documents(read_table(str(path), DataSettings(**data)))
    return str(caught.value)


def test_missing_sqlite_file_is_named_and_not_created(tmp_path):
    with pytest.raises(DataError, match=r"no such file: .*new\.db\.$"):
        read_table(f"sqlite:///{tmp_path / 'new.db'}", DataSettings(query="select 1"))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("query", ["create table zz (a)", "delete from reviews"])
def test_query_cannot_change_the_database(tmp_path, query):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table reviews as select 'good' as text, 'a' as label")
    connection.commit()

    with pytest.raises(DataError, match="readonly"):
        read_table(f"sqlite:///{tmp_path / 'a.db'}", DataSettings(query=query))

    assert connection.execute("select name from sqlite_master").fetchall() == [("reviews",)]
    assert connection.execute("select count(*) from reviews").fetchone() == (1,)
    connection.close()


def test_message_of_a_refused_query_ends_in_one_dot(tmp_path):
    (tmp_path / "a.db").touch()

    with pytest.raises(DataError, match=r"[^.]\.$"):
        read_table(f"sqlite:///{tmp_path / 'a.db'}", DataSettings(query="select 1; select 2"))


def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "cut\ud83d", "label": "a\udc00"}' + "\n")

    assert documents(path) == [("cut\ufffd", "a\ufffd")]
    assert read_texts(str(path), ()) == ["cut\ufffd"]


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_json_too_deep_to_read_is_named_by_line(tmp_path, ending):
    deep = '{"text": "ok [[[", "label": "a"}' + (",\n" if ending == "json" else "\n")
    deep += '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}"
    content = f"[{deep}]" if ending == "json" else deep

    message = refusal(tmp_path / f"a.{ending}", content)

    assert f"a.{ending}, line 2: " in message
    assert "deep" in message


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_json_number_too_long_to_read_is_named_by_line(tmp_path, ending):
    long = '{"text": "' + "1" * 5000 + '", "label": "a"}' + (",\n" if ending == "json" else "\n")
    long += '{"text": ' + "1" * 5000 + "}"
    content = f"[{long}]" if ending == "json" else long

    message = refusal(tmp_path / f"a.{ending}", content)

    assert f"a.{ending}, line 2: " in message
    assert "digits" in message


@pytest.mark.parametrize(
    ("name", "rows", "line"),
    [
        ("a.csv", 'text,label\nok,a\n"open,b\nmore,a\n', 3),
        ("a.csv", '\n\ntext,label\n"a ""b""",c\n5" nail,"two\nlines"\n"x\ny","open\nmore,a\n', 8),
        ("a.csv", '"text,label\nok,a\n', 1),
        ("a.tsv", 'text\tlabel\nok\ta\n5" nail\t"open\nmore\nand\ta\n', 3),
    ],
)
def test_quote_that_is_never_closed_is_named_where_it_opens(tmp_path, name, rows, line):
    message = refusal(tmp_path / name, rows)

    assert message.startswith(f"{tmp_path / name}, line {line}: broken {name[2:]}: the quote")
    assert "never closed" in message


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        # Each of these opens a cell for a reader of quotes.
        (['"He said hi\tpos', 'he left"\tneg'], ['"He said hi', 'he left"']),
        (['"Great" he said\tpos', "fine\tneg"], ['"Great" he said', "fine"]),
        (['"never closed\tpos', "fine\tneg"], ['"never closed', "fine"]),
        (['"好看"，他说\tpos', "", "一般\tneg"], ['"好看"，他说', "一般"]),
    ],
)
def test_quotes_of_a_tsv_without_quoting_belong_to_its_texts(tmp_path, rows, texts):
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(["text\tlabel", *rows, ""]), encoding="utf-8")

    table = read_table(str(path), DataSettings())

    assert [row.cells["text"] for row in table.rows] == texts
    assert [row.cells["label"] for row in table.rows] == ["pos", "neg"]
    assert [finding.kind for finding in table.findings] == ["unquoted_table"]
    assert list(stream_texts(str(path), ())) == texts == read_texts(str(path), ())


@pytest.mark.parametrize(
    "row",
    ['"two\nlines"\tpos', '"one\ttab"\tpos', '"a ""quote"""\tpos', '"x\ty\nz"\tpos\n"k\nl"\tpos'],
)
def test_a_tsv_with_quoting_is_read_with_it(tmp_path, row):
    path = tmp_path / "a.tsv"
    path.write_text(f"text\tlabel\n{row}\nfine\tneg\n")

    table = read_table(str(path), DataSettings())

    assert '"' not in table.rows[0].cells["text"].replace('a "quote"', "")
    assert {row.cells["label"] for row in table.rows} == {"pos", "neg"} and not table.findings


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("text,label", ["good,pos", '"He said hi,pos', 'he left",neg', "bad,neg", "so,pos"]),
        ("label,text", ["pos,good", 'pos,"He said hi', 'neg,he left"', "neg,bad", "neg,so"]),
        ("id,text,label", ["1,good,pos", '2,"He said,pos', '3,he left",neg', "4,ok,pos"]),
    ],
)
def test_a_quote_of_a_csv_that_joins_rows_is_reported(tmp_path, header, rows):
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *rows, ""]))

    (finding,) = read_table(str(path), DataSettings()).findings

    assert (finding.kind, finding.count) == ("open_quotes", 1)
    assert finding.examples == (f"{path}, line 3",)


def test_texts_of_several_lines_with_commas_are_no_open_quotes(tmp_path):
    path = tmp_path / "a.csv"
    rows = ['"I came, I saw\nI left, fine",pos', '"no,\nyes",neg', "good,pos", "bad,neg"] * 3
    path.write_text("\n".join(["text,label", *rows, ""]))

    assert not read_table(str(path), DataSettings()).findings


def test_quote_that_closes_too_late_is_named_with_the_row_it_began_in(tmp_path):
    message = refusal(tmp_path / "a.csv", 'text,label\n"open,b\nmore,a\n"good",a\n')

    assert "a.csv, line 4: broken csv: " in message
    assert "the row that begins in line 2" in message


def test_broken_quotes_of_a_compressed_table_name_its_format(tmp_path):
    message = refusal(tmp_path / "a.csv.gz", gzip.compress(b'text,label\n"open,b\n'))

    assert "line 2: broken csv: " in message


def test_query_with_two_columns_of_one_name_is_refused_with_a_remedy(tmp_path):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table a (id, text, label)")
    connection.execute("insert into a values (1, 'good', 'pos')")
    connection.commit()
    connection.close()
    query = "select a.text, a.label, b.label from a join a as b on a.id = b.id"

    with pytest.raises(DataError, match=r"two columns of the name 'label'.*AS") as caught:
        read_table(f"sqlite:///{tmp_path / 'a.db'}", DataSettings(query=query))
    assert "\n" not in str(caught.value)
    renamed = query.replace("b.label", "b.label as other")
    assert documents(f"sqlite:///{tmp_path / 'a.db'}", query=renamed) == [("good", "pos")]


@pytest.mark.parametrize(
    ("row", "column"),
    [({"text": {"zh": "好"}, "label": "a"}, "'text'"), ({"text": "b", "label": ["a"]}, "'label'")],
)
def test_nested_value_is_refused_by_line_and_column(tmp_path, row, column):
    good = {"text": 1.5, "label": True, "tags": ["not", "read"]}

    message = refusal(tmp_path / "a.jsonl", "\n".join(map(json.dumps, [good, row])))

    assert f"a.jsonl, line 2: column {column}" in message


def test_nested_value_too_deep_to_show_is_refused_too(tmp_path):
    deep = '{"text": ' + "[" * 970 + "]" * 970 + ', "label": "a"}'

    assert "a.jsonl, line 1: " in refusal(tmp_path / "a.jsonl", deep)


def test_numbers_and_booleans_stay_texts(tmp_path):
    (tmp_path / "a.json").write_text('[{"text": 1.5, "label": true}, {"text": 2, "label": 3.0}]')

    assert documents(tmp_path / "a.json") == [("1.5", "True"), ("2", "3")]


@pytest.fixture
def class_folder(tmp_path):
    for path in ("a/1.txt", "a/deeper/2.txt", "b/3.txt", "a/.hidden/4.txt", "b/.DS_Store"):
        (tmp_path / "classes" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "classes" / path).write_text(f"text of {path}")
    (tmp_path / "classes" / "nothing").mkdir()
    return tmp_path / "classes"


def test_hidden_files_and_folders_of_a_class_are_not_read(class_folder):
    assert documents(class_folder) == [
        ("text of a/1.txt", "a"),
        ("text of a/deeper/2.txt", "a"),
        ("text of b/3.txt", "b"),
    ]


def test_class_folder_without_a_file_is_reported(class_folder):
    _, (finding,) = read_documents(read_table(str(class_folder), DataSettings()))

    assert (finding.kind, finding.severity, finding.count) == ("empty_class", "warning", 1)
    assert "'nothing'" in finding.message


def test_document_of_a_class_folder_names_its_own_file(class_folder):
    (class_folder / "a" / "0.txt").write_text(" ")

    found, findings = read_documents(read_table(str(class_folder), DataSettings()))

    assert (found[0].source, found[0].line) == (str(class_folder / "a" / "1.txt"), 1)
    assert findings[1].examples == (f"{class_folder / 'a' / '0.txt'}, line 1",)


def test_blank_lines_above_the_header_are_skipped(tmp_path):
    (tmp_path / "a.csv").write_text("\n , \ntext,label\ngood,a\n")

    found, _ = read_documents(read_table(str(tmp_path / "a.csv"), DataSettings()))

    assert [(d.text, d.label, d.line) for d in found] == [("good", "a", 4)]


def test_columns_without_a_name_do_no_harm(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,,\ngood,a,,\n")

    assert documents(tmp_path / "a.csv") == [("good", "a")]


def test_columns_without_a_name_are_not_listed(tmp_path):
    assert "Columns: words, label." in refusal(tmp_path / "a.csv", "words,label,,\ngood,a,,\n")


@pytest.mark.parametrize(
    "content",
    [
        "text;label\ngood, really;a\n",
        '"text";"label"\n"good, really";"a"\n',
        "text\tlabel\ngood, really\ta\n",
        "\ntext;label;\ngood, really;a\n",
    ],
)
def test_csv_may_be_separated_by_semicolons_or_tabs(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)

    assert documents(tmp_path / "a.csv") == [("good, really", "a")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text,label\na;b,c\n", ["a;b"]),  # a comma in the header
        ("text\nno;cells;here\n", ["no;cells;here"]),  # no other sign in the header
    ],
)
def test_comma_stays_unless_the_header_says_otherwise(tmp_path, content, expected):
    (tmp_path / "a.csv").write_text(content)

    assert read_texts(str(tmp_path / "a.csv"), ()) == expected


def test_comma_stays_where_the_first_row_does_not_fit_another_sign(tmp_path):
    assert "Columns: text;label." in refusal(tmp_path / "a.csv", "text;label\none cell\n")


def test_column_names_are_shown_escaped(tmp_path):
    message = refusal(tmp_path / "a.csv", '"\x1b[31mred","two\nlines"\na,b\n')

    assert r"Columns: '\x1b[31mred', 'two\nlines'." in message


def test_missing_cells_of_texts_alone_count_as_empty(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": null}\n{"text": NaN}\n{"text": 3.0}\n')

    assert read_texts(str(tmp_path / "a.jsonl"), ()) == ["", "", "3"]


def test_a_table_to_predict_is_renamed_since_predict_knows_no_settings(tmp_path):
    path = tmp_path / "new.data"
    path.write_text("text\ngood\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"got '.data'. Rename the file.$"):
        read_texts(str(path), ())


def test_a_second_column_that_looks_like_text_is_named_and_not_left_out_in_silence(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("title,body,label\ngood,very good,1\n", encoding="utf-8")

    [finding] = read_table(str(path), DataSettings()).findings

    assert finding.message.endswith("body; only title is. To join them: --text title --text body")
    assert read_table(str(path), DataSettings(text="title")).findings == ()
