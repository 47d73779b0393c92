import gzip

import pytest

from tuner.corpus import read_text
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
