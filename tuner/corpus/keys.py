"""The key under which two texts count as the same one."""

from __future__ import annotations

import unicodedata

__all__ = ["duplicate_key"]


def duplicate_key(text: str) -> str:
    """Reduce a text to what makes it the same text: NFKC, lower case, letters and digits only.

    A text without any letter or digit is its own key, so that "!!!" and "???" stay apart.

    >>> duplicate_key("Ｇood,  GOOD!") == duplicate_key("good good")
    True
    >>> duplicate_key("！！！")
    '!!!'
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    return "".join(filter(str.isalnum, folded)) or folded.strip()
