"""Read the texts of a corpus one after the other, whatever its size."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tuner.corpus.delimited import csv_delimiter, csv_reader
from tuner.corpus.encoding import decode, utf16_without_bom
from tuner.corpus.quoting import has_no_quoting
from tuner.corpus.row import cell_text, refuse_double_names, shown_value
from tuner.corpus.tables import SUFFIXES, read_texts, text_columns
from tuner.errors import DataError

__all__ = ["stream_texts"]

_PLAIN = (".txt", ".text")
_STREAMED = ("csv", "tsv", "jsonl")
_HEAD_BYTES = 1 << 20
_LONGEST_LINE = 10_000_000  # characters; more is no text, and must not fill the memory


def stream_texts(source: str, columns: tuple[str, ...]) -> Iterator[str]:
    """Give the texts of a corpus without labels, blank ones too.

    Text files (`.txt`, one text a line), CSV, TSV and JSON lines, also `.gz`, are read as they
    come, in bounded memory. Other tables, see `read_texts`, are read whole.

    Parameters
    ----------
    source
        Path or SQLAlchemy URL.
    columns
        Text columns of a table, joined by a blank; () takes the usual name.

    Raises
    ------
    DataError
        If it cannot be read, is in no known encoding, or lacks a column; names file and line.
    """
    path = Path(source)
    kind = "" if "://" in source or path.is_dir() else _kind(path)
    if kind not in ("plain", *_STREAMED):
        yield from read_texts(source, columns)
        return
    if kind == "plain" and columns:
        raise DataError(
            f"{path}: --text names a column, and a text file has none; got {columns[0]!r}."
        )
    with _opened(path, _encoding(path)) as file:
        try:
            if kind == "plain":
                for _, line in _lines(path, file):
                    yield line
            elif kind == "jsonl":
                yield from _json_lines(path, file, columns)
            else:
                yield from _delimited(path, file, columns, kind)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: the file must be {error.encoding.upper()} throughout, as its beginning "
                f"is; byte 0x{error.object[error.start]:02x} fits not."
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error).rstrip(".")
            raise DataError(f"{path}: cannot be read: {reason}.") from error


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    ending = suffixes[-1] if suffixes else ""
    return "plain" if ending in _PLAIN else SUFFIXES.get(ending, "")


@contextmanager
def _bytes_of(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as raw:
            yield gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    with _bytes_of(path) as content, io.TextIOWrapper(content, encoding, newline="") as file:
        yield file


def _encoding(path: Path) -> str:
    """Find the encoding: UTF-8 where all bytes are, else what the first that is not ASCII is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, is_ascii = 0, True
    try:
        with _bytes_of(path) as content:
            piece = _whole_lines(content)
            if not piece:
                raise DataError(f"{path}: the file is empty.")
            if piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            if 0 in piece:
                pairs = piece[: len(piece) // 2 * 2]
                # The last two bytes may be the first half of a character.
                utf16 = utf16_without_bom(pairs) or utf16_without_bom(pairs[:-2])
                if utf16 is not None:
                    return utf16
                decode(piece, name=str(path))  # refuses the NUL
            while piece:
                decoder.decode(piece)
                lines += piece.count(b"\n")
                is_ascii = is_ascii and piece.isascii()
                piece = _whole_lines(content)
            decoder.decode(b"", final=True)
            return "utf-8-sig"
    except UnicodeDecodeError as error:
        if not is_ascii:
            line = lines + piece.count(b"\n", 0, max(0, error.start)) + 1
            raise DataError(
                f"{path}, line {line}: the file must be UTF-8 throughout, as its beginning is; "
                f"byte 0x{error.object[error.start]:02x} fits not."
            ) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise DataError(f"{path}: cannot be read: {reason}.") from error
    decode(piece, name=str(path), lines_before=lines)  # refuses what is in no known encoding
    return "gb18030"


def _whole_lines(content: Any) -> bytes:
    """Read about a megabyte more, to the end of a line, so that no character is cut."""
    piece: bytes = content.read(_HEAD_BYTES)
    rest: bytes = content.readline(_LONGEST_LINE)
    return piece + rest


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    r"""Give number and content of each line; lines end in \r\n, \r or \n alone."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE and line[-1] not in "\r\n":
            raise DataError(
                f"{path}, line {number}: a line must have fewer than {_LONGEST_LINE:,} characters."
            )
        if "\0" in line:
            raise DataError(f"{path}, line {number}: the file must be text; it holds a NUL byte.")
        yield number, line.rstrip("\r\n")


def _json_lines(path: Path, file: TextIO, columns: Sequence[str]) -> Iterator[str]:
    chosen: Sequence[str] = ()
    for number, line in _lines(path, file):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: must be one JSON object: {error}.") from error
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, line {number}: must be one JSON object; got {shown_value(row)}."
            )
        chosen = chosen or text_columns(str(path), list(row), columns)
        for name in chosen:
            if isinstance(row.get(name), list | dict):
                raise DataError(
                    f"{path}, line {number}: column {name!r} must hold a text or a number; "
                    f"got {shown_value(row[name])}."
                )
        yield _joined(row.get(name) for name in chosen)


def _delimited(path: Path, file: TextIO, columns: Sequence[str], kind: str) -> Iterator[str]:
    csv.field_size_limit(_LONGEST_LINE)
    delimiter = "\t"
    if kind == "csv":
        delimiter = csv_delimiter(file.read(_HEAD_BYTES))
    places: list[int] | None = None
    quoted = kind != "tsv" or not has_no_quoting(file)
    file.seek(0)
    reader = csv_reader(file, delimiter, quoted=quoted)
    try:
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if places is None:
                header = [name.strip() for name in cells]
                refuse_double_names(f"{path}, line {reader.line_num}", header)
                names = [name for name in header if name]
                places = [header.index(n) for n in text_columns(str(path), names, columns)]
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells where the header names "
                    f"{len(header)}. Is a text with {delimiter!r} in it missing its quotes?"
                )
            yield _joined(cells[place] for place in places if place < len(cells))
    except csv.Error as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"{path}, line {reader.line_num}: broken {kind}: {reason}; a quote within a quoted "
            "cell is written twice."
        ) from error


def _joined(cells: Iterator[Any]) -> str:
    return " ".join(filter(None, map(cell_text, cells)))
