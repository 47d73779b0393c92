"""Take HTML out of a text by a parser, and leave alone what only looks like it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

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
_BLOCK_NAMES = frozenset(_BLOCK.split())
_NAMES = "|".join(sorted([*_BLOCK.split(), *_INLINE.split()], key=len, reverse=True))
# A "<" opens markup only before a known element's whole tag, or a comment or declaration that
# is closed. In "a < b", "<三体>" or "<Harry Potter>" it is text, which a parser would swallow.
_TEXT_ANGLE = re.compile(
    rf"<(?!/?(?:{_NAMES})(?=[\s/>])[^<>]*>|!--.*?-->|!doctype[^<>]*>|\?[^<>]*>)",
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN = ("script", "style")
# An unclosed <script> would swallow the rest of the text.
_UNCLOSED_HIDDEN = {
    name: re.compile(rf"<{name}\b[^<>]*>(?!.*</{name}\s*>)", re.IGNORECASE | re.DOTALL)
    for name in _HIDDEN
}


class _TextCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden_depth += 1
        elif tag in _BLOCK_NAMES:
            self.pieces.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCK_NAMES:
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden_depth = max(0, self._hidden_depth - 1)
        elif tag in _BLOCK_NAMES:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            self.pieces.append(data)


def strip_markup(text: str) -> str:
    """Remove tags, comments, scripts and styles, and resolve entities.

    Block elements become a blank, inline ones nothing, so that words neither merge nor break.
    Angle brackets that open no known element are text and stay.

    >>> strip_markup("<p>很<b>好</b>看</p>&amp; 便宜<br/>3 < 5 <三体>")
    ' 很好看 & 便宜 3 < 5 <三体>'
    """
    if "<" not in text and "&" not in text:
        return text
    for pattern in _UNCLOSED_HIDDEN.values():
        text = pattern.sub(" ", text)
    collector = _TextCollector()
    collector.feed(_TEXT_ANGLE.sub("&lt;", text))
    collector.close()
    return "".join(collector.pieces)
