"""Hide the passwords of URLs before they are shown."""

from __future__ import annotations

import re

__all__ = ["has_password", "mask_url"]

# Up to the last `@`, wherever it stands: a password may hold any sign, and hiding too much does
# less harm than showing the rest of one.
_USERINFO = re.compile(r"(://(?!\[)[^:/@]*:).*@", re.DOTALL)
# Where the host was forgotten, the password stands in the place of its port.
_NO_PORT = re.compile(r"(://(?!\[)[^:/@]*:)(?!\d*(?:[/?#,]|$))[^@]+$")
_VALUE = re.compile(
    r"((?:^|[?&;=\s]|%3B)[^=&?;\s]*(?:pass|pwd|secret)[^=&?;\s]*?(?:=|%3D))[^&]+", re.I
)


def mask_url(text: str) -> str:
    """Give a URL with its passwords hidden, whether it is well formed or not.

    Parameters
    ----------
    text
        One URL, or one word of a command line that may hold one.

    Returns
    -------
    str
        The text with `***` for the password between user and host, and for the value of every
        parameter whose name has `pass`, `pwd` or `secret` in it.

    >>> mask_url("postgresql://ann:secret@db/shop")
    'postgresql://ann:***@db/shop'
    >>> mask_url("postgresql://db/shop?user=ann&password=secret&sslmode=require")
    'postgresql://db/shop?user=ann&password=***&sslmode=require'
    >>> mask_url("postgresql://ann:secret/shop"), mask_url("postgresql://db:5432/shop")
    ('postgresql://ann:***', 'postgresql://db:5432/shop')
    >>> mask_url("model.token_dropout=0.5")
    'model.token_dropout=0.5'
    """
    return _VALUE.sub(r"\1***", _NO_PORT.sub(r"\1***", _USERINFO.sub(r"\1***@", text)))


def has_password(text: str) -> bool:
    """Say whether a URL, or a word that may hold one, has a password that `mask_url` hides.

    >>> has_password("postgresql://ann:secret@db/shop"), has_password("postgresql://ann@db/shop")
    (True, False)
    """
    return mask_url(text) != text
