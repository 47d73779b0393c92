"""What every answer says to the browser: no script but the dashboard's, files are downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["READS", "Environ", "StartResponse", "WsgiApp", "hardened"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

READS = ("GET", "HEAD")
"""Methods that change nothing."""

# Where the dashboard's own pages, scripts and data lie. All else is content of studies: a file.
_OWN = ("/dashboard", "/static/", "/api/", "/favicon.ico")
_DROPPED = frozenset({"access-control-allow-origin", "access-control-allow-credentials"})
# A document that is none of the dashboard's pages runs nothing, wherever it is opened.
_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def hardened(
    path: str, status: str, headers: Iterable[tuple[str, str]], *, is_private: bool
) -> list[tuple[str, str]]:
    """Give an answer's headers with what keeps its content from acting as the dashboard.

    Parameters
    ----------
    path
        Of the request. Judged by what it is known to be, not by what it is not: a path that
        the dashboard reads in another way than we do is a download.
    is_private
        Behind a login: no cache may keep it.
    """
    is_page = path == "/dashboard" or path.startswith("/dashboard/")
    kept = [(name, value) for name, value in headers if name.lower() not in _DROPPED]
    names = {name.lower() for name, _ in kept}
    if is_page:
        kept.append(("Content-Security-Policy", "frame-ancestors 'none'; form-action 'self'"))
    else:
        kept.append(("Content-Security-Policy", _SANDBOX))
    if status.startswith("2") and not path.startswith(_OWN) and "content-disposition" not in names:
        kept.append(("Content-Disposition", "attachment"))
    if is_private and not path.startswith("/static/"):
        kept = [(name, value) for name, value in kept if name.lower() != "cache-control"]
        kept.append(("Cache-Control", "no-store"))
    return [*kept, *((n, v) for n, v in _ALWAYS if n.lower() not in names)]
