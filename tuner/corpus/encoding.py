"""Recognise a text file's encoding by its bytes."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path

from tuner.corpus.gb18030 import looks_chinese, utf8_share
from tuner.errors import DataError

__all__ = ["decode", "read_lines", "read_text", "utf16_without_bom"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF32_BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
# CJK punctuation, kana, bopomofo and the ideographs of the basic plane.
_IDEOGRAPH = re.compile("[\u3000-\u9fff]")
# These, full-width forms, and ASCII.
_CHINESE_TEXT = re.compile("[\t\n\r -~\u3000-\u9fff\uff00-\uffef]")


def decode(content: bytes, *, name: str, lines_before: int = 0) -> str:
    """Decode UTF-8 with or without BOM, UTF-16 with or without BOM, or GB18030.

    Parameters
    ----------
    content
        The whole file, or whole lines of it.
    name
        File name for the error message.
    lines_before
        Lines of the file that stand before `content`.

    Raises
    ------
    DataError
        If the bytes are none of these; the message names the line of the first bad byte.

    >>> decode("好评".encode("gb18030"), name="x.csv")
    '好评'
    """
    text = _decode(content, name, lines_before)
    if "\x00" in text:
        line = lines_before + text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(f"{name}, line {line}: the file must be text; it holds a NUL byte.")
    return text


def _decode(content: bytes, name: str, lines_before: int) -> str:
    # Before UTF-16, whose little-endian mark is the beginning of UTF-32's.
    if content.startswith(_UTF32_BOMS):
        raise DataError(
            f"{name}, line 1: the file must be UTF-8, UTF-16 or GB18030; its byte order mark "
            "says UTF-32. Save it as UTF-8."
        )
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decode_as(content, encoding, name)
    utf16 = utf16_without_bom(content)
    if utf16 is not None:
        return content.decode(utf16)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        utf8_error = error
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError as gb18030_error:
        most = content.decode("gb18030", "ignore")
        bad = gb18030_error if looks_chinese(most, content) else utf8_error
    else:
        if looks_chinese(text, content):
            return text
        bad = utf8_error
    line = lines_before + content.count(b"\n", 0, bad.start) + 1
    byte = f"byte 0x{content[bad.start]:02x}"
    what = f"{byte} fits none"
    if bad is not utf8_error:
        what = f"most of it is GB18030, but {byte} is not"
    elif utf8_share(content) >= 0.8:
        what = f"most of it is UTF-8, but {byte} is not"
    raise DataError(
        f"{name}, line {line}: the file must be UTF-8, UTF-16 or GB18030; {what}. "
        "Save it as UTF-8."
    ) from bad


def _decode_as(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: the byte order mark says {encoding.upper()}, but the byte at offset "
            f"{error.start} breaks it."
        ) from error


def utf16_without_bom(content: bytes) -> str | None:
    """Recognise UTF-16 by its zeros, and tell it from a text that a stray NUL got into.

    Text of any language has line ends, blanks or separators: in UTF-16 these are ASCII
    characters whose other byte is zero, always on the same side.
    """
    if 0 not in content or len(content) % 2:
        return None
    even_zeros, odd_zeros = content[0::2].count(0), content[1::2].count(0)
    if odd_zeros > 20 * even_zeros:
        encoding, share = "utf-16-le", 2 * odd_zeros / len(content)
    elif even_zeros > 20 * odd_zeros:
        encoding, share = "utf-16-be", 2 * even_zeros / len(content)
    else:
        return _chinese_utf16(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    if _is_utf8(content):
        # As UTF-16 it would be ASCII for the most part, or else its bytes were not UTF-8 too.
        return encoding if share >= 0.5 else None
    if share >= 0.2:
        return encoding
    # Only scripts without blanks have so little ASCII in them.
    return encoding if len(_IDEOGRAPH.findall(text)) >= len(text) / 2 else None


def _chinese_utf16(content: bytes) -> str | None:
    """Recognise Chinese by its characters, since 一, 开 and 最 have a zero on the other side."""
    if _is_utf8(content):
        return None
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Of ASCII read in pairs, or of UTF-16 read the wrong way round, one of these is missing.
        if "\n" in text and len(_CHINESE_TEXT.findall(text)) >= 0.9 * len(text):
            return encoding
    return None


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_text(path: Path) -> str:
    """Read a whole text file, gzip-compressed or not, in any of the known encodings.

    Raises
    ------
    DataError
        If it is missing, unreadable, a broken archive, or in no known encoding.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: not a whole gzip file: {str(error).rstrip('.')}.") from error
    return decode(content, name=str(path))


def read_lines(path: Path) -> list[str]:
    r"""Read a text file's lines, blank ones too; only the end of the last line opens none.

    Lines end in \r\n, \r or \n alone: a text may hold the further separators of Unicode.

    Raises
    ------
    DataError
        If the file cannot be read (see `read_text`) or is empty.
    """
    text = read_text(path)
    if not text:
        raise DataError(f"{path}: the file is empty; it must have one text a line.")
    lines = re.split(r"\r\n|\r|\n", text)
    return lines[:-1] if lines[-1] == "" else lines
