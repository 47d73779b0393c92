import gzip

import pytest

from tuner.corpus import read_lines, read_text
from tuner.corpus.encoding import decode
from tuner.errors import DataError

TEXT = "content,label\n这家酒店很好，服务周到,正面\nnot bad,正面\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk"]
)
def test_encoding_is_recognised(tmp_path, encoding):
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode(encoding))

    assert read_text(path) == TEXT


def test_compressed_file_is_read(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode("gb18030")))

    assert read_text(path) == TEXT


def test_broken_bytes_are_named_by_line(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"text,label\ngood,a\nbad \xff\xff,b\n")

    with pytest.raises(DataError, match=r"table.csv, line 3.*UTF-8, UTF-16 or GB18030"):
        read_text(path)


@pytest.mark.parametrize(
    "text",
    [
        "text,label\nfine,pos\nI don\u2019t like it,neg\n",
        "text,label\nfine,pos\nThe price\u2014high\u2014was no surprise,neg\n",
        "text,label\nfine,pos\nTr\xe8s d\xe9\xe7u,neg\n",
        "text,label\nfine,pos\nF\xfcr M\xe4dchen zu gro\xdfe Gr\xf6\xdfen,neg\n",
        "text,label\nfine,pos\nShe said \u201cno\u201d,neg\n",
    ],
)
def test_western_text_of_windows_is_refused_with_a_remedy_and_not_read_as_chinese(text):
    with pytest.raises(DataError, match=r"a.csv, line 3: .*Save it as UTF-8\.$"):
        decode(text.encode("cp1252"), name="a.csv")


@pytest.mark.parametrize("one", ["caf\xe9t", "I don\x92t", "\xff", "d\xe9j\xe0 vu"])
@pytest.mark.parametrize("text", ["这家酒店很好，服务周到,正面\n", "été créé à la fête,pos\n"])
def test_one_line_of_another_encoding_is_named_and_makes_no_other_text_of_the_rest(text, one):
    content = ("text,label\n" + text * 3).encode() + one.encode("latin-1") + b",x\n"
    content += text.encode() * 3

    with pytest.raises(DataError, match=r"a.csv, line 5: .*most of it is UTF-8"):
        decode(content, name="a.csv")


def test_a_bad_byte_of_chinese_in_gb18030_is_named_by_its_own_line():
    content = TEXT.encode("gb18030") + b"bad \xff\xff,x\n" + TEXT.encode("gb18030")

    with pytest.raises(DataError, match=r"a.csv, line 4: .*most of it is GB18030, but byte 0xff"):
        decode(content, name="a.csv")


@pytest.mark.parametrize(
    "text",
    [
        "text,label\ngood,好\nbad,坏\n",
        "name,label\nOK,优\n",
        "text\n贵\n",
        "服務態度良好，笑容可掬，實在划算",
        "text,label\n這家酒店的設施殘舊,負面\nI don't mind,正面\n",
        "text,label\n圖書館裏的書,a\n",
        "text,label\n好看😊😊😊,正面\n",
        "text,label\n芮成钢与朱镕基,人物\n",
    ],
)
def test_short_and_traditional_chinese_in_gb18030_is_read(text):
    assert decode(text.encode("gb18030"), name="a.csv") == text


def test_half_an_archive_is_refused(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:-9])

    with pytest.raises(DataError, match="gzip"):
        read_text(path)


def test_binary_file_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"text,label\n" + b"a\x00b" * 3 + "好".encode() * 100)

    with pytest.raises(DataError, match="NUL"):
        read_text(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\x00w\n",  # of even length: UTF-16 for a reader who only looks for zeros
        b"text,label\n" + "很好,正面\n".encode() * 30 + b"x\x00y,z\n" + b"." * 9,
        "text,label\n很好\x00,正面\n很好很好,正面\n".encode("gb18030"),
        "text,label\n很好啊\x00,正面\n很好很好,正面\n".encode("gb18030"),
        ("text,label\n很好\x00,正面\n" + "好,正面\n" * 9).encode("utf-16-le"),
    ],
)
def test_stray_nul_is_reported_and_makes_no_other_text(tmp_path, content):
    path = tmp_path / "nul.txt"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"nul.txt, line \d+: .*NUL"):
        read_text(path)


def test_line_of_a_stray_nul_is_named(tmp_path):
    path = tmp_path / "nul.txt"
    path.write_bytes(b"one\ntwo\nthr\x00ee\n.")

    with pytest.raises(DataError, match=r"nul.txt, line 3: "):
        read_text(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("length", [3, 5000])
def test_pure_chinese_utf16_is_recognised_by_its_final_line_end(tmp_path, encoding, length):
    text = "这家酒店位置非常方便" * (length // 3) + "\n"
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))

    assert read_text(path) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_chinese_utf16_is_recognised_though_some_characters_end_in_a_zero_byte(encoding):
    text = "text,label\n" + "一开始最好，再看一遍也一样：这一家最方便,正面\n" * 20

    assert decode(text.encode(encoding), name="a.csv") == text


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-be"])
def test_utf32_is_refused_by_name(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(("\ufeff" if encoding == "utf-32-be" else "").encode(encoding)
                     + TEXT.encode(encoding))  # fmt: skip

    with pytest.raises(DataError, match=r"a.csv, line 1: .*UTF-32"):
        read_text(path)


def test_message_of_a_broken_archive_ends_in_one_dot(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"no archive")

    with pytest.raises(DataError, match=r"[^.]\.$"):
        read_text(path)


def test_lines_keep_blank_ones_and_end_at_line_ends_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\u2028still one\r\n\r\n \rfour\n\n".encode())

    assert read_lines(path) == ["one\u2028still one", "", " ", "four", ""]


def test_file_without_a_line_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"")

    with pytest.raises(DataError, match=r"a.txt: the file is empty"):
        read_lines(path)
