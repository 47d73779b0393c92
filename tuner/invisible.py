"""Characters that no one sees and that would make two words of one."""

from __future__ import annotations

import re

__all__ = ["without_invisible", "without_variants"]

# Format characters (Cf): soft hyphen, zero-width blank, marks of direction, byte order mark, tags.
# Arabic and Kaithi signs for numbers are Cf as well and are seen.
_FORMAT = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Arabic to Sinhala, Myanmar, Khmer and Mongolian: joiners there tell words and letters apart.
_JOINING = "\u0600-\u0dff\u1000-\u109f\u1780-\u18af"
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_STRAY_JOINERS = re.compile(
    f"(?<![{_JOINING}{_EMOJI}])[\u200c\u200d]+"
    f"|\u200c+(?![{_JOINING}])"
    f"|(?<=[{_EMOJI}])\u200d+(?![{_EMOJI}])"
)


def without_invisible(text: str) -> str:
    r"""Leave out format characters, and joiners where they join nothing.

    Joiners stay within emoji and in the scripts that need them.

    >>> without_invisible("\ufeff正\u200b面"), without_invisible("so\u00adft")
    ('正面', 'soft')
    """
    if text.isascii():
        return text
    text = _FORMAT.sub("", text)
    has_joiner = "\u200c" in text or "\u200d" in text
    return _STRAY_JOINERS.sub("", text) if has_joiner else text


def without_variants(text: str) -> str:
    r"""Leave out variation selectors, which choose among pictures of one character.

    >>> without_variants("\u2764\ufe0f") == "\u2764"
    True
    """
    return text if text.isascii() else _VARIANTS.sub("", text)
