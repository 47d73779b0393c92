"""Who asks: known by a session or the token, and how one logs in and out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from tuner.service.door.access import Access
from tuner.service.door.credentials import Login
from tuner.service.door.headers import READS, Environ, StartResponse
from tuner.service.door.pages import (
    json_answer,
    login_page,
    redirect,
    refuse,
    text_answer,
    wants_page,
)
from tuner.service.door.sessions import SESSION_SECONDS, FailedLogins, Sessions
from tuner.service.door.users import Role

__all__ = ["Visitor", "Visitors", "ask_for_login"]

_log = logging.getLogger(__name__)

_HOME = "/dashboard/"
_FORM_BYTES_MAX = 8192


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `is_bearer` proved it in this very request, which no other site can make."""

    name: str
    role: Role
    is_bearer: bool = False


class Visitors:
    """Who is inside, and the wrong logins of those who are not.

    Parameters
    ----------
    access
        The rules: what is accepted as a login, and who may write where none is asked for.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._sessions = Sessions()
        self._failures = FailedLogins()
        self._cookie = "__Host-tuner" if access.has_secure_cookies else "tuner"

    def find(self, environ: Environ) -> Visitor | None:
        """Give who asks; None for somebody who has to log in first."""
        login = self._access.login
        if login is None:
            return Visitor("", "writer" if self._access.may_write else "reader")
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() == "bearer" and login.is_token(given.strip()):
            return Visitor("", "reader", is_bearer=True)
        user = self._sessions.find(self._session_token(environ))
        if user is None or not login.is_still(user):
            return None
        return Visitor(user.name, user.role)

    def log_in(self, login: Login, environ: Environ, start: StartResponse) -> list[bytes]:
        """Answer on the page to log in: with the form, or what came of it."""
        form_page = partial(
            login_page, asks_name=login.users is not None, takes_token=login.token is not None
        )
        if environ["REQUEST_METHOD"] in READS:
            return text_answer(start, HTTPStatus.OK, form_page(next_path=_asked_path(environ)))
        if environ["REQUEST_METHOD"] != "POST":
            return refuse(environ, start, "the login takes GET and POST")
        form = _form(environ)
        if form is None:
            return json_answer(
                start, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large or no form"
            )
        target = _home_or(form.get("next", ""))
        address = environ.get("REMOTE_ADDR", "")
        name = form.get("name", "")
        wait = self._failures.seconds_to_wait(address, name)
        if wait:
            problem = f"Too many wrong logins. Try again in {wait} s."
            return text_answer(
                start,
                HTTPStatus.TOO_MANY_REQUESTS,
                form_page(next_path=target, problem=problem),
                headers=[("Retry-After", str(wait))],
            )
        user = login.check(name, form.get("password", ""))
        if user is None:
            self._failures.note(address, name)
            _log.warning("wrong login as %r from %s", name[:64], address)
            page = form_page(next_path=target, problem="Wrong name, password or token.")
            return text_answer(start, HTTPStatus.UNAUTHORIZED, page)
        self._failures.forget(address, name)
        _log.info("login as %r from %s", user.name, address)
        cookie = self._set_cookie(self._sessions.open(user), SESSION_SECONDS)
        return redirect(start, quote(target, safe="/%?=&"), [cookie])

    def log_out(self, environ: Environ, start: StartResponse) -> list[bytes]:
        """End the session of who asks."""
        if environ["REQUEST_METHOD"] != "POST":
            return refuse(environ, start, "the logout takes POST")
        self._sessions.close(self._session_token(environ))
        return redirect(start, "/login", [self._set_cookie("", 0)])

    def _session_token(self, environ: Environ) -> str:
        # Not by `SimpleCookie`, which gives none of them where another program on this host has
        # set one that it cannot read, such as JSON: ports share their cookies.
        for cookie in environ.get("HTTP_COOKIE", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self._cookie:
                return str(value)
        return ""

    def _set_cookie(self, token: str, seconds: int) -> tuple[str, str]:
        secure = "; Secure" if self._access.has_secure_cookies else ""
        return (
            "Set-Cookie",
            f"{self._cookie}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        )


def ask_for_login(environ: Environ, start: StartResponse) -> list[bytes]:
    """Send a person to the page to log in, and tell a script that it needs a token."""
    if wants_page(environ):
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8")
        return redirect(start, f"/login?next={quote(_home_or(path))}")
    return json_answer(
        start, HTTPStatus.UNAUTHORIZED, "log in first", [("WWW-Authenticate", "Bearer")]
    )


def _asked_path(environ: Environ) -> str:
    try:
        query = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=10)
    except ValueError:
        return _HOME
    return _home_or(query.get("next", [""])[0])


def _form(environ: Environ) -> dict[str, str] | None:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if not 0 < length <= _FORM_BYTES_MAX or kind != "application/x-www-form-urlencoded":
        return None
    body = environ["wsgi.input"].read(length)
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}


def _home_or(path: str) -> str:
    """Give a page of the dashboard to go to: never another site, nor a file."""
    is_page = path.startswith(_HOME) and "\\" not in path and path.isprintable()
    return path if is_page else _HOME
