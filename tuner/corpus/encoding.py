"""Recognise a text file's encoding by its bytes, without guessing by statistics."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from tuner.errors import DataError

__all__ = ["decode", "read_text"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes, *, name: str) -> str:
    """Decode UTF-8 with or without BOM, UTF-16 with or without BOM, or GB18030.

    Parameters
    ----------
    content
        The whole file.
    name
        File name for the error message.

    Raises
    ------
    DataError
        If the bytes are none of these; the message names the line of the first bad byte.

    >>> decode("好评".encode("gb18030"), name="x.csv")
    '好评'
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _decode_as(content, encoding, name)
    utf16 = _utf16_without_bom(content)
    if utf16 is not None:
        return _decode_as(content, utf16, name)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as utf8_error:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError:
            line = content.count(b"\n", 0, utf8_error.start) + 1
            raise DataError(
                f"{name}, line {line}: the file must be UTF-8, UTF-16 or GB18030; "
                f"byte 0x{content[utf8_error.start]:02x} at offset {utf8_error.start} fits none."
            ) from utf8_error
        # Any byte soup of high bytes can pass as GB18030; private-use characters give it away.
        if sum("\ue000" <= character <= "\uf8ff" for character in text) > len(text) / 100:
            line = content.count(b"\n", 0, utf8_error.start) + 1
            raise DataError(
                f"{name}, line {line}: the file must be UTF-8, UTF-16 or GB18030; "
                f"byte 0x{content[utf8_error.start]:02x} at offset {utf8_error.start} fits none."
            ) from utf8_error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(f"{name}, line {line}: the file must be text; it holds a NUL byte.")
    return text


def _decode_as(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: the byte order mark says {encoding.upper()}, but the byte at offset "
            f"{error.start} breaks it."
        ) from error


def _utf16_without_bom(content: bytes) -> str | None:
    # Text of any language has line ends, blanks or separators: in UTF-16 these are ASCII
    # characters whose other byte is zero, always on the same side.
    sample = content[:4096]
    even_zeros = sample[0::2].count(0)
    odd_zeros = sample[1::2].count(0)
    if even_zeros + odd_zeros == 0 or len(content) % 2:
        return None
    if odd_zeros > 20 * even_zeros:
        return "utf-16-le"
    if even_zeros > 20 * odd_zeros:
        return "utf-16-be"
    return None


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
            raise DataError(f"{path}: not a whole gzip file: {error}.") from error
    return decode(content, name=str(path))
