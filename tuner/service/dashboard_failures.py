"""What the dashboard says when its storage does not answer: one line, and 503."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from tuner.errors import StorageError
from tuner.search import storage_errors
from tuner.service.door.headers import Environ, StartResponse, WsgiApp

__all__ = ["answering", "short_failures"]

_log = logging.getLogger(__name__)

_has_failed = ContextVar("_has_failed", default=False)
"""Whether the storage failed in this thread's request."""


class _OneLine(logging.Filter):
    """Turns the dashboard's stack of calls into what the storage said."""

    def __init__(self, storage_url: str) -> None:
        super().__init__()
        self._storage_url = storage_url

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record of a storage's failure; let all others pass as they are."""
        error = sys.exc_info()[1]
        if error is not None:
            with suppress(type(error)), self._telling(record), storage_errors(self._storage_url):
                raise error
        return True

    @contextmanager
    def _telling(self, record: logging.LogRecord) -> Iterator[None]:
        try:
            yield
        except StorageError as failure:
            record.msg, record.args, record.exc_info = "%s", (str(failure),), None
            _has_failed.set(True)


@contextmanager
def short_failures(storage_url: str) -> Iterator[None]:
    """Let the dashboard's log have one line for a failure of the storage while entered."""
    logger = logging.getLogger("optuna_dashboard._bottle_util")
    one_line = _OneLine(storage_url)
    logger.addFilter(one_line)
    try:
        yield
    finally:
        logger.removeFilter(one_line)


def answering(app: WsgiApp, storage_url: str) -> WsgiApp:
    """Give the app, answering 503 where the storage fails.

    The dashboard's JSON routes catch and log whatever happens, and answer 500; `short_failures`
    sees what it was. Its other routes let the failure out.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if not _has_failed.get():
                return start_response(status, headers, exc_info)
            return None

        _has_failed.set(False)
        try:
            with storage_errors(storage_url):
                inside = app(environ, start)
        except StorageError as failure:
            _log.error("%s", failure)
        else:
            if not _has_failed.get():
                return inside
        body = json.dumps({"reason": "the storage does not answer"}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("503 Service Unavailable", headers)
        return [body]

    return answer
