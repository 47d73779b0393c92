"""The door: WSGI middleware that decides of every request, before the dashboard sees it."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote

from tuner.service.door.access import LOOPBACK_NAMES, Access, Login, host_name
from tuner.service.door.headers import Environ, StartResponse, WsgiApp, hardened
from tuner.service.door.pages import (
    badge,
    json_answer,
    login_page,
    message_page,
    redirect,
    text_answer,
    wants_page,
)
from tuner.service.door.proxy import CAME_BY_PROXY
from tuner.service.door.sessions import SESSION_SECONDS, FailedLogins, Sessions
from tuner.service.door.users import Role, User

__all__ = ["Door"]

_log = logging.getLogger(__name__)

HEALTH_PATH = "/healthz"
_HOME = "/dashboard/"
_READS = ("GET", "HEAD")
_FORM_BYTES_MAX = 8192


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who asks. `is_bearer` proved it in this very request, which no other site can make."""

    name: str
    role: Role
    is_bearer: bool = False


class Door:
    """Middleware around optuna-dashboard.

    Nothing behind it is reached by a request that names another host, comes from another site,
    lacks a login where one is asked for, or writes without the writer's role.

    Parameters
    ----------
    application
        The dashboard.
    access
        The rules.
    """

    def __init__(self, application: WsgiApp, access: Access) -> None:
        self._application = application
        self._access = access
        self._sessions = Sessions()
        self._failures = FailedLogins()
        self._cookie = "__Host-tuner" if access.has_secure_cookies else "tuner"

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] == HEALTH_PATH and environ["REQUEST_METHOD"] in _READS:
            return text_answer(start, HTTPStatus.OK, "ok\n", kind="text/plain")
        refusal = self._misdirected(environ)
        if refusal:
            return self._refuse(environ, start, refusal)
        visitor = self._visitor(environ)
        if not (visitor and visitor.is_bearer) and not _is_own_request(environ):
            return self._refuse(environ, start, "only its own pages may ask this of the dashboard")
        login = self._access.login
        if login is not None and environ["PATH_INFO"] == "/login":
            return self._login(login, environ, start)
        if login is not None and environ["PATH_INFO"] == "/logout":
            return self._logout(environ, start)
        if visitor is None:
            return self._ask_for_login(environ, start)
        if environ["REQUEST_METHOD"] not in _READS and visitor.role != "writer":
            hint = (
                "the dashboard is read-only; `tuner dashboard --writable` lets it write"
                if login is None
                else "your login may read, not write; a writer's may"
            )
            return self._refuse(environ, start, hint)
        return self._pass_on(visitor, environ, start)

    # -- who, from where ----------------------------------------------------------------------

    def _misdirected(self, environ: Environ) -> str | None:
        """Say what is wrong with how the request came here; None for nothing."""
        try:
            environ["PATH_INFO"].encode("latin-1").decode("utf-8")
        except UnicodeError:
            return "the address is no UTF-8"
        name = host_name(environ.get("HTTP_HOST", ""))
        # A page elsewhere can point its own name at this machine (DNS rebinding).
        if name is None or name not in self._access.hosts:
            return "the dashboard does not answer under this name; --allowed-host names others"
        if self._access.proxies and not environ.get(CAME_BY_PROXY):
            return "the dashboard is reached through its proxy"
        is_readable = environ["wsgi.url_scheme"] != "https" and name not in LOOPBACK_NAMES
        if is_readable and not self._access.is_plain:
            return "logins are taken over TLS; the proxy must say X-Forwarded-Proto: https"
        return None

    def _visitor(self, environ: Environ) -> _Visitor | None:
        login = self._access.login
        if login is None:
            return _Visitor("", "writer" if self._access.may_write else "reader")
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() == "bearer" and _is_token(login, given.strip()):
            return _Visitor("", "reader", is_bearer=True)
        user = self._sessions.find(self._session_token(environ))
        if user is None or not _is_still(login, user):
            return None
        return _Visitor(user.name, user.role)

    def _session_token(self, environ: Environ) -> str:
        try:
            cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        except CookieError:
            return ""
        return cookies[self._cookie].value if self._cookie in cookies else ""

    # -- in and out ---------------------------------------------------------------------------

    def _login(self, login: Login, environ: Environ, start: StartResponse) -> list[bytes]:
        form_page = partial(
            login_page, asks_name=login.users is not None, takes_token=login.token is not None
        )
        if environ["REQUEST_METHOD"] in _READS:
            return text_answer(start, HTTPStatus.OK, form_page(next_path=_asked_path(environ)))
        if environ["REQUEST_METHOD"] != "POST":
            return self._refuse(environ, start, "the login takes GET and POST")
        form = _form(environ)
        if form is None:
            return json_answer(
                start, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large or no form"
            )
        target = _home_or(form.get("next", ""))
        address = environ.get("REMOTE_ADDR", "")
        wait = self._failures.seconds_to_wait(address)
        if wait:
            problem = f"Too many wrong logins. Try again in {wait} s."
            return text_answer(
                start,
                HTTPStatus.TOO_MANY_REQUESTS,
                form_page(next_path=target, problem=problem),
                headers=[("Retry-After", str(wait))],
            )
        user = _check(login, form.get("name", ""), form.get("password", ""))
        if user is None:
            self._failures.note(address)
            _log.warning("wrong login as %r from %s", form.get("name", "")[:64], address)
            page = form_page(next_path=target, problem="Wrong name, password or token.")
            return text_answer(start, HTTPStatus.UNAUTHORIZED, page)
        self._failures.forget(address)
        _log.info("login as %r from %s", user.name, address)
        cookie = self._set_cookie(self._sessions.open(user), SESSION_SECONDS)
        return redirect(start, quote(target, safe="/%?=&"), [cookie])

    def _logout(self, environ: Environ, start: StartResponse) -> list[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return self._refuse(environ, start, "the logout takes POST")
        self._sessions.close(self._session_token(environ))
        return redirect(start, "/login", [self._set_cookie("", 0)])

    def _set_cookie(self, token: str, seconds: int) -> tuple[str, str]:
        secure = "; Secure" if self._access.has_secure_cookies else ""
        return (
            "Set-Cookie",
            f"{self._cookie}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        )

    def _ask_for_login(self, environ: Environ, start: StartResponse) -> list[bytes]:
        if wants_page(environ):
            path = environ["PATH_INFO"].encode("latin-1").decode("utf-8")
            return redirect(start, f"/login?next={quote(_home_or(path))}")
        return json_answer(
            start, HTTPStatus.UNAUTHORIZED, "log in first", [("WWW-Authenticate", "Bearer")]
        )

    def _refuse(self, environ: Environ, start: StartResponse, reason: str) -> list[bytes]:
        if wants_page(environ):
            return text_answer(start, HTTPStatus.FORBIDDEN, message_page("Not here", f"{reason}."))
        return json_answer(start, HTTPStatus.FORBIDDEN, reason)

    # -- inside -------------------------------------------------------------------------------

    def _pass_on(
        self, visitor: _Visitor, environ: Environ, start: StartResponse
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        has_login = self._access.login is not None

        def hardened_start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Any:
            safe = hardened(path, status, headers, is_private=has_login)
            return start(status, safe, exc_info)

        inner = {**environ, "REMOTE_USER": visitor.name}
        is_page = path == "/dashboard" or path.startswith("/dashboard/")
        if not (has_login and is_page and environ["REQUEST_METHOD"] == "GET"):
            return self._application(inner, hardened_start)
        for header in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE"):
            inner.pop(header, None)  # the page is another one for each visitor
        return _with_badge(self._application, inner, start, path, visitor)


def _with_badge(
    application: WsgiApp, environ: Environ, start: StartResponse, path: str, visitor: _Visitor
) -> list[bytes]:
    """Answer with the dashboard's page, and the visitor's name in it."""
    began: list[Any] = []

    def remember(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        began[:] = [status, headers]

    answer = application(environ, remember)
    try:
        content = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    status, headers = began
    shown = badge(visitor.name, visitor.role).encode("utf-8")
    content = content.replace(b"</body>", shown + b"</body>", 1)
    headers = [(n, v) for n, v in headers if n.lower() not in ("content-length", "etag")]
    headers.append(("Content-Length", str(len(content))))
    start(status, hardened(path, status, headers, is_private=True))
    return [content]


def _is_own_request(environ: Environ) -> bool:
    """Say whether the browser says that the request comes from the dashboard itself.

    Fetch Metadata where it is sent, else the Origin header; a write has one of them in every
    browser of the last years. Links from elsewhere may be followed, nothing else.
    """
    is_read = environ["REQUEST_METHOD"] in _READS
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        is_link = is_read and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        return site == "same-origin" or (is_read and site == "none") or is_link
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        own = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        return bool(origin.lower() == own.lower())
    return is_read


def _check(login: Login, name: str, password: str) -> User | None:
    if not name and _is_token(login, password):
        return _token_user(login)
    if login.users is None:
        return None
    return login.users.check(name, password)


def _token_user(login: Login) -> User:
    return User("", "reader", hashlib.sha256(str(login.token).encode("utf-8")).hexdigest())


def _is_token(login: Login, given: str) -> bool:
    if login.token is None:
        return False
    return hmac.compare_digest(
        hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(),
        hashlib.sha256(login.token.encode("utf-8", "surrogatepass")).digest(),
    )


def _is_still(login: Login, user: User) -> bool:
    """Say whether the user of a session is in the file as he was when he logged in."""
    if not user.name:
        return login.token is not None
    return login.users is not None and login.users.get(user.name) == user


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
