"""Bring a text into one format; letters and digits survive."""

from __future__ import annotations

import re
import unicodedata

from tuner.config import PreprocessSettings
from tuner.invisible import without_invisible, without_variants
from tuner.preprocess.markup import strip_markup

__all__ = ["normalize"]

_URL = re.compile(r"(?:https?://|www\.)[!-;=?-~]+", re.IGNORECASE)
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# Masks are bare words, so that the removal of punctuation leaves them whole.
_MASK_URL, _MASK_EMAIL, _MASK_NUMBER = " xxurl ", " xxemail ", " xxnumber "
# Punctuation that belongs to a word or number stands inside it: don't, 3.5, e-mail.
_INNER = re.compile(r"(?<=[^\W_])['’\-](?=[^\W_])|(?<=\d)[.,:](?=\d)")
_KEPT = "\ue000"


def normalize(text: str, settings: PreprocessSettings, *, as_written: bool = False) -> str:
    """Clean one text as the settings say.

    In this order: HTML, invisible characters, Unicode NFKC, control characters, masks, lower case,
    punctuation, blanks.

    Parameters
    ----------
    text
        Any text.
    settings
        The switches.
    as_written
        Leave the form of characters, case and punctuation to a tokenizer that comes after.

    Returns
    -------
    str
        One line without leading or trailing blanks; "" where nothing is left.

    >>> normalize("<p>Ｄon't  PANIC!</p>", PreprocessSettings())
    "don't panic"
    """
    if settings.html == "strip":
        text = strip_markup(text)
    # Variants first: those of emoji stand before the joiners.
    text = without_invisible(without_variants(text))
    if not as_written:
        text = unicodedata.normalize("NFKC", text)
    text = text.translate(_CONTROL)
    if settings.mask_urls:
        text = _URL.sub(_MASK_URL, text)
    if settings.mask_emails:
        text = _EMAIL.sub(_MASK_EMAIL, text)
    if settings.mask_numbers:
        text = _NUMBER.sub(_MASK_NUMBER, text)
    if settings.lower_case and not as_written:
        text = text.lower()
    if settings.punctuation == "remove" and not as_written:
        inner: list[str] = []

        def keep(match: re.Match[str]) -> str:
            inner.append(match.group())
            return _KEPT

        text = _INNER.sub(keep, text.replace(_KEPT, " "))
        text = text.translate(_PUNCTUATION)
        kept = iter(inner)
        text = re.sub(_KEPT, lambda _: next(kept), text)
    return " ".join(without_invisible(text).split())  # a joiner may have lost its neighbour


class _BlankCategories(dict[int, str | int | None]):
    """A translation table that decides about a character when it is first seen."""

    def __init__(self, *categories: str) -> None:
        super().__init__()
        self._categories = categories

    def __missing__(self, code_point: int) -> str | int:
        category = unicodedata.category(chr(code_point))
        value: str | int = " " if category.startswith(self._categories) else code_point
        self[code_point] = value
        return value


_CONTROL = _BlankCategories("Cc", "Cs")
# Emoji and signs of currency are content (So, Sc); punctuation, modifiers, operators are not.
_PUNCTUATION = _BlankCategories("P", "Sk", "Sm")
