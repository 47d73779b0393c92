"""Take HTML out of a text, and leave alone what only looks like it."""

from __future__ import annotations

import re
from html import unescape

__all__ = ["strip_markup"]

_INLINE = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q rp "
    "rt ruby s samp small span strike strong sub sup time tt u var wbr"
)
_BLOCK = (
    "address applet area article aside audio base basefont blockquote body br button canvas "
    "caption center col colgroup datalist dd details dialog dir div dl dt embed fieldset "
    "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html "
    "iframe image img input legend li link main map marquee menu meta meter nav noframes noscript "
    "object ol optgroup option output p param picture pre progress script section select source "
    "style summary svg table tbody td template textarea tfoot th thead title tr track ul video"
)
_WITHOUT_VALUE = (
    "allowfullscreen async autofocus autoplay border checked compact controls declare default "
    "defer disabled download formnovalidate hidden inert ismap itemscope loop multiple muted "
    "nohref nomodule noresize noshade novalidate nowrap open playsinline readonly required "
    "reversed selected"
)
_BLOCK_NAMES = frozenset(_BLOCK.split())
_WITHOUT_VALUE_NAMES = frozenset(_WITHOUT_VALUE.split())
_NAMES = "|".join(sorted([*_BLOCK.split(), *_INLINE.split()], key=len, reverse=True))
# A ">" belongs to an attribute where its quote is closed before the next "<", as the end of a
# value: after an open quote the tag ends at its first ">", since what follows is the text.
_ATTRIBUTES = r"""(?>(?:[^<>=]|=\s*"[^"<]*"(?=[\s/>])|=\s*'[^'<]*'(?=[\s/>])|=)*)"""
# A "<" opens markup only before a known element's whole tag, or a comment or declaration that
# is closed. In "a < b", "<三体>" or "<Harry Potter>" it is text.
_MARKUP = re.compile(
    rf"(?P<comment><!--)|<!doctype[^<>]*>|<\?[^<>]*>"
    rf"|<(?P<close>/?)(?P<name>{_NAMES})(?=[\s/>])(?P<attributes>{_ATTRIBUTES})>",
    re.IGNORECASE,
)
_END = {
    "<!--": re.compile("-->"),
    **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")},
}


def strip_markup(text: str) -> str:
    """Remove tags, comments, scripts and styles, and resolve entities.

    Block elements become a blank, inline ones nothing, so that words neither merge nor break.
    Angle brackets that open no known element are text and stay.

    >>> strip_markup("<p>很<b>好</b>看</p>&amp; 便宜<br/>3 < 5 <三体>")
    ' 很好看 & 便宜 3 < 5 <三体>'
    """
    if "<" not in text and "&" not in text:
        return text
    pieces: list[str] = []
    never_closed: set[str] = set()
    taken = position = 0
    while match := _MARKUP.search(text, position):
        position = match.end()
        name, attributes = (match["name"] or "").lower(), match["attributes"] or ""
        if name and not _are_attributes(attributes):
            continue
        opened = match["comment"] or (not match["close"] and not attributes.endswith("/") and name)
        closed = None
        if opened in _END and opened not in never_closed:
            closed = _END[opened].search(text, position)
            if closed is None:  # it would swallow the rest of the text
                never_closed.add(opened)
        if match["comment"] and closed is None:
            continue
        pieces.append(unescape(text[taken : match.start()]))
        if closed is not None:
            position = closed.end()
        elif name in _BLOCK_NAMES:
            pieces.append(" ")
        taken = position
    pieces.append(unescape(text[taken:]))
    return "".join(pieces)


def _are_attributes(found: str) -> bool:
    """Tell attributes from words, as in "a <b and c> d"."""
    return "=" in found or _WITHOUT_VALUE_NAMES.issuperset(found.lower().replace("/", " ").split())
