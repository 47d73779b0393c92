"""Stop words: opt-in, applied after segmentation, and never a negation by default."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from tuner.config import SHIPPED_STOP_WORDS, did_you_mean
from tuner.errors import ConfigError

__all__ = ["stop_words"]

# What turns a meaning around must never be lost to a shipped list.
_NEGATION = re.compile(
    r"[不没無无未别別莫勿非否毋甭]|n['’]t$|^(?:no|not|nor|never|none|nobody|nothing|neither|nowhere|"
    r"without|cannot|cant|dont|wont|isnt|arent|wasnt|werent|hasnt|havent|hadnt|doesnt|didnt|"
    r"shouldnt|wouldnt|couldnt|aint|hardly|non|n)$"
)


def stop_words(name: str) -> frozenset[str]:
    """Give the stop words of a shipped list or of a file.

    Parameters
    ----------
    name
        `none`, `zh`, `en`, `zh+en` (lists of the package stopwordsiso, MIT, negations taken
        out), or the path of a UTF-8 file with one word a line, taken as it is.

    Raises
    ------
    ConfigError
        If it is neither.

    >>> "的" in stop_words("zh"), "不" in stop_words("zh"), "not" in stop_words("en")
    (True, False, False)
    """
    if name == "none":
        return frozenset()
    if name in SHIPPED_STOP_WORDS:
        return _shipped(name)
    path = Path(name)
    if not path.is_file():
        raise ConfigError(
            f"preprocess.stop_words must be {', '.join(SHIPPED_STOP_WORDS)} or a file with one "
            f"word a line; got {name!r}.{did_you_mean(name, SHIPPED_STOP_WORDS)}"
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"preprocess.stop_words: {path} must be readable UTF-8: {error}."
        ) from error
    return frozenset(line.strip() for line in lines if line.strip())


@lru_cache
def _shipped(name: str) -> frozenset[str]:
    import stopwordsiso

    words = stopwordsiso.stopwords(name.split("+"))
    return frozenset(word for word in words if not _NEGATION.search(word))
