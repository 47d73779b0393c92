"""The door: WSGI middleware that decides of every request, before the dashboard sees it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from tuner.service.door.access import Access
from tuner.service.door.headers import READS, Environ, StartResponse, WsgiApp, hardened
from tuner.service.door.origin import is_own_request, misdirected
from tuner.service.door.pages import badge, refuse, text_answer
from tuner.service.door.visitors import Visitor, Visitors, ask_for_login

__all__ = ["Door"]

HEALTH_PATH = "/healthz"
_NO_RENAMING = (
    "a study cannot be renamed: its results, data and workers go by its name; "
    "`--study-name` begins one under another name"
)


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
        self._visitors = Visitors(access)

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        """Answer one request; HEAD without a body, which a proxy takes for the next answer."""
        answer = self._answer(environ, start)
        if environ["REQUEST_METHOD"] != "HEAD":
            return answer
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        return []

    def _answer(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == HEALTH_PATH and environ["REQUEST_METHOD"] in READS:
            return text_answer(start, HTTPStatus.OK, "ok\n", kind="text/plain")
        refusal = misdirected(environ, self._access)
        if refusal:
            return refuse(environ, start, refusal)
        visitor = self._visitors.find(environ)
        if not (visitor and visitor.is_bearer) and not is_own_request(environ):
            return refuse(environ, start, "only its own pages may ask this of the dashboard")
        login = self._access.login
        if login is not None and environ["PATH_INFO"] == "/login":
            return self._visitors.log_in(login, environ, start)
        if login is not None and environ["PATH_INFO"] == "/logout":
            return self._visitors.log_out(environ, start)
        if visitor is None:
            return ask_for_login(environ, start)
        if environ["REQUEST_METHOD"] not in READS and visitor.role != "writer":
            hint = (
                "the dashboard is read-only; `tuner dashboard --writable` lets it write"
                if login is None
                else "your login may read, not write; a writer's may"
            )
            return refuse(environ, start, hint)
        if _renames(environ):
            return refuse(environ, start, _NO_RENAMING)
        return self._pass_on(visitor, environ, start)

    def _pass_on(
        self, visitor: Visitor, environ: Environ, start: StartResponse
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        has_login = self._access.login is not None

        def hardened_start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Any:
            safe = hardened(path, status, headers, is_private=has_login)
            return start(status, safe, exc_info)

        # The dashboard reads Accept-Encoding, which not every client sends.
        inner = {"HTTP_ACCEPT_ENCODING": "", **environ, "REMOTE_USER": visitor.name}
        is_page = path == "/dashboard" or path.startswith("/dashboard/")
        if not (has_login and is_page and environ["REQUEST_METHOD"] == "GET"):
            return self._application(inner, hardened_start)
        for header in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE"):
            inner.pop(header, None)  # the page is another one for each visitor
        return _with_badge(self._application, inner, start, path, visitor)


def _renames(environ: Environ) -> bool:
    """Say whether a request would copy a study under another name and delete the first."""
    path = environ["PATH_INFO"].rstrip("/")
    is_write = environ["REQUEST_METHOD"] not in READS
    return is_write and path.startswith("/api/studies/") and path.endswith("/rename")


def _with_badge(
    application: WsgiApp, environ: Environ, start: StartResponse, path: str, visitor: Visitor
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
