"""Tell Chinese in GB18030 from other bytes that happen to decode as it."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["looks_chinese", "utf8_share"]

_RUN = re.compile("[^\x00-\x7f]{2,}")
_ALONE = re.compile("(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])")
_HIGH_BYTES = bytes(range(0x80, 0x100))
# Of Chinese in GB18030 about a third of the high bytes is UTF-8 by chance, in a line or two more.
_MOSTLY_UTF8, _NEARLY_ALL_UTF8 = 0.6, 0.8


def looks_chinese(text: str, content: bytes) -> bool:
    r"""Say whether a text that was decoded as GB18030 can be meant as it.

    It is where all characters beyond ASCII are common in simplified Chinese. Else, as traditional
    characters and rare ones are not, at least half must be common or stand beside another one: an
    accent or a curly quote of Windows-1252 swallows the letter behind it and stands alone. Text
    of any script in UTF-8 is ruled out, whose bytes pair up with their neighbours.

    Parameters
    ----------
    text
        `content` as GB18030.

    >>> looks_chinese("I don抰", "I don抰".encode("gb18030")), looks_chinese("好", b"\xba\xc3")
    (False, True)
    """
    beyond = {character: n for character, n in Counter(text).items() if character > "\x7f"}
    if all(map(_is_common, beyond)):
        return True
    # Any byte soup of high bytes can pass as GB18030; private-use characters give it away.
    if sum(n for character, n in beyond.items() if "\ue000" <= character <= "\uf8ff") > (
        len(text) / 100
    ):
        return False
    alone = Counter(_ALONE.findall(text))
    common_alone = sum(n for character, n in alone.items() if _is_common(character))
    has_stray = common_alone < alone.total()
    if utf8_share(content) >= (_MOSTLY_UTF8 if has_stray else _NEARLY_ALL_UTF8):
        return False
    beside = sum(map(len, _RUN.findall(text)))
    return common_alone + beside >= sum(beyond.values()) / 2


def utf8_share(content: bytes) -> float:
    """Give the share of the bytes beyond ASCII that belong to whole characters of UTF-8."""
    n_ascii = len(content.translate(None, _HIGH_BYTES))
    n_valid = len(content.decode("utf-8", "ignore").encode()) - n_ascii
    return n_valid / max(1, len(content) - n_ascii)


def _is_common(character: str) -> bool:
    """Know Chinese punctuation, full-width forms and the 3,755 common characters of GB 2312."""
    code = character.encode("gb18030")
    return (
        len(code) == 2 and code[1] >= 0xA1 and (0xA1 <= code[0] <= 0xA3 or 0xB0 <= code[0] <= 0xD7)
    )
