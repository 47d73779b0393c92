"""The door's own pages: plain HTML without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from html import escape
from http import HTTPStatus

from tuner.service.door.headers import READS, Environ, StartResponse

__all__ = [
    "badge",
    "json_answer",
    "login_page",
    "message_page",
    "redirect",
    "refuse",
    "text_answer",
    "wants_page",
]

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
       background: light-dark(#f3f5f8, #15181d); color: light-dark(#1c2430, #e6e9ee); }
main { box-sizing: border-box; width: min(24rem, 100vw - 2rem); padding: 2rem;
       background: light-dark(#fff, #1f242b); border-radius: 12px;
       box-shadow: 0 8px 30px rgb(0 0 0 / 12%); }
h1 { margin: 0 0 .25rem; font-size: 1.25rem; }
p { margin: 0 0 1.25rem; color: light-dark(#5a6675, #a4aebb); }
p.problem { padding: .6rem .8rem; border-radius: 8px; color: light-dark(#8c1d18, #ffb4ab);
            background: light-dark(#fdecea, #4a1f1c); }
label { display: block; margin-bottom: 1rem; font-size: .9rem; }
input { box-sizing: border-box; display: block; width: 100%; margin-top: .3rem; padding: .6rem;
        font: inherit; border: 1px solid light-dark(#b7c0cb, #4b5562); border-radius: 8px; }
button { width: 100%; padding: .65rem; font: inherit; font-weight: 600; color: #fff;
         background: #1f5fbf; border: 0; border-radius: 8px; cursor: pointer; }
input:focus-visible, button:focus-visible { outline: 3px solid #7fb0ff; outline-offset: 1px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
)


def login_page(*, asks_name: bool, takes_token: bool, next_path: str, problem: str = "") -> str:
    """Give the login form, with what went wrong the last time."""
    required = "" if takes_token else " required"
    name = (
        f'<label>Name<input name="name" autocomplete="username" autofocus{required}></label>'
        if asks_name
        else ""
    )
    secret = "Password" if asks_name else "Token"
    if asks_name and takes_token:
        secret = "Password, or without a name the token"
    focus = "" if asks_name else " autofocus"
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _page(
        "Log in",
        f"<p>to the studies of tuner</p>{shown}"
        f'<form method="post" action="/login">{name}'
        f'<label>{secret}<input name="password" type="password" '
        f'autocomplete="current-password" required{focus}></label>'
        f'<input type="hidden" name="next" value="{escape(next_path)}">'
        "<button>Log in</button></form>",
    )


def message_page(title: str, text: str) -> str:
    """Give a page that says one thing."""
    return _page(title, f"<p>{escape(text)}</p>")


def badge(name: str, role: str) -> str:
    """Give what the dashboard's page shows of the login, with a button to leave."""
    style = (
        "position:fixed;right:12px;bottom:12px;z-index:9999;display:flex;gap:8px;"
        "align-items:center;padding:4px 6px 4px 12px;border-radius:999px;background:#1c2430;"
        "color:#fff;font:13px system-ui,sans-serif;opacity:.9"
    )
    button = (
        "border:0;border-radius:999px;padding:3px 10px;background:#fff;color:#1c2430;"
        "font:inherit;cursor:pointer"
    )
    shown = f"{escape(name)} · {role}" if name else role
    return (
        f'<form method="post" action="/logout" style="{style}"><span>{shown}</span>'
        f'<button style="{button}">Log out</button></form>'
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · tuner</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def wants_page(environ: Environ) -> bool:
    """Say whether a person is looking, not a script."""
    is_read = environ["REQUEST_METHOD"] in READS
    return is_read and "text/html" in environ.get("HTTP_ACCEPT", "")


def text_answer(
    start: StartResponse,
    status: HTTPStatus,
    body: str,
    *,
    kind: str = "text/html",
    headers: Iterable[tuple[str, str]] = (),
) -> list[bytes]:
    """Answer with a text."""
    content = body.encode("utf-8")
    start(
        f"{status.value} {status.phrase}",
        [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(content))),
            *_HEADERS,
            *headers,
        ],
    )
    return [content]


def json_answer(
    start: StartResponse,
    status: HTTPStatus,
    reason: str,
    headers: Iterable[tuple[str, str]] = (),
) -> list[bytes]:
    """Answer a script; the dashboard's page shows `reason`."""
    body = json.dumps({"reason": reason})
    return text_answer(start, status, body, kind="application/json", headers=headers)


def redirect(
    start: StartResponse, path: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Send the browser on, to be read with GET."""
    moved = (("Location", path), *headers)
    return text_answer(start, HTTPStatus.SEE_OTHER, "", headers=moved)


def refuse(environ: Environ, start: StartResponse, reason: str) -> list[bytes]:
    """Answer that this is not allowed, as a page or to a script; `reason` is no whole sentence."""
    if wants_page(environ):
        return text_answer(start, HTTPStatus.FORBIDDEN, message_page("Not here", f"{reason}."))
    return json_answer(start, HTTPStatus.FORBIDDEN, reason)
