"""Cut a cleaned text into tokens; the only importer of jieba."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuner.errors import ConfigError

__all__ = ["detect_segmenter", "segmenter"]

Segmenter = Callable[[str], list[str]]

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_LETTER = re.compile(r"[^\W\d_]")
# A Han character is a token of its own; other letters and digits run together, with the
# punctuation inside them; anything else that is not a blank (an emoji, kept punctuation) is one.
_WORDS = re.compile(
    rf"[{_HAN}]|(?:(?![{_HAN}])[^\W_])+(?:['’\-.,:](?:(?![{_HAN}])[^\W_])+)*|[^\s\w]|_+"
)
_CHARACTERS = re.compile(rf"(?:(?![{_HAN}])[^\W_])+|\S")


def detect_segmenter(texts: Iterable[str]) -> str:
    """Pick the segmenter that gives words: jieba where Han characters are common, else words.

    Parameters
    ----------
    texts
        Cleaned train texts only; nothing is learnt from the other parts.

    Returns
    -------
    str
        "jieba" where at least a tenth of the letters are Han, else "words".

    >>> detect_segmenter(["酒店很好", "wifi ok"])
    'jieba'
    >>> detect_segmenter(["a really good hotel", "好 ok"])
    'words'
    """
    n_letters = n_han = 0
    for text in texts:
        n_letters += len(_LETTER.findall(text))
        n_han += len(_HAN_CHARACTER.findall(text))
        if n_letters > 1_000_000:
            break
    return "jieba" if n_han and n_han >= 0.1 * n_letters else "words"


def segmenter(name: str, dictionary: str | None = None) -> Segmenter:
    """Give the function that cuts a text into tokens.

    Parameters
    ----------
    name
        `jieba` (precise mode), `jieba_search` (long words also cut into their parts),
        `characters` (Han characters one by one, other runs whole), or `words`.
    dictionary
        jieba user dictionary.

    Raises
    ------
    ConfigError
        If the name is unknown or the dictionary cannot be used.
    """
    if name == "words":
        return _WORDS.findall
    if name == "characters":
        return _CHARACTERS.findall
    if name not in ("jieba", "jieba_search"):
        raise ConfigError(
            "preprocess.segmenter must be auto, jieba, jieba_search, characters or words; "
            f"got {name!r}."
        )
    cut = _jieba(dictionary, _stamp(dictionary))
    method = cut.lcut if name == "jieba" else cut.lcut_for_search

    def segment(text: str) -> list[str]:
        return [token for token in method(text) if not token.isspace()]

    return segment


def _stamp(dictionary: str | None) -> tuple[int, int] | None:
    """Tell one state of a dictionary from another, so that a changed one is loaded anew."""
    if dictionary is None or not Path(dictionary).is_file():
        return None
    about = Path(dictionary).stat()
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=2)
def _jieba(dictionary: str | None, stamp: tuple[int, int] | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions and pkg_resources
        import jieba
    # It adds a handler of its own that writes DEBUG lines on stderr.
    jieba.default_logger.handlers.clear()
    jieba.default_logger.setLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    # Its cache lies in the shared temporary folder under a fixed name, where another user's
    # file could be loaded by marshal; a folder of this user's own cannot be planted.
    tokenizer.tmp_dir = _private_cache_folder()
    tokenizer.initialize()
    if dictionary is not None:
        path = Path(dictionary)
        if not path.is_file():
            raise ConfigError(f"preprocess.dictionary: no such file: {dictionary!r}.")
        try:
            with path.open(encoding="utf-8-sig") as lines:
                tokenizer.load_userdict(lines)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise ConfigError(
                f"preprocess.dictionary: {dictionary!r} must be UTF-8 with one "
                f"`word [frequency [tag]]` a line: {error}."
            ) from error
    return tokenizer


def _private_cache_folder() -> str:
    folder = Path.home() / ".cache" / "tuner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="tuner-")
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="tuner-")
