"""`/metrics` and `/healthz` of one process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tuner.errors import ConfigError
from tuner.service.metrics import Metrics

__all__ = ["serve_metrics"]


@contextmanager
def serve_metrics(metrics: Metrics, *, host: str, port: int) -> Iterator[int]:
    """Serve from a thread of its own while entered, and give the port.

    Parameters
    ----------
    host
        Address to listen on. The metrics hold names of studies and counts, no texts.
    port
        0 takes a free one.

    Raises
    ------
    ConfigError
        If the address cannot be listened on.
    """
    try:
        server = make_server(
            host,
            port,
            _application(metrics),
            _Server6 if ":" in host else _Server,
            handler_class=_Handler,
        )
    except OSError as error:
        raise ConfigError(
            f"--metrics-port must be free; {port} on {host} is not: {error.strerror}."
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    """A slow reader keeps no other waiting, nor the end of the process."""

    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 30  # of a connection that says nothing, in seconds

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: it is asked every few seconds."""


def _application(metrics: Metrics) -> Callable[..., Iterable[bytes]]:
    from prometheus_client import make_wsgi_app

    exposition = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _say(start, "405 Method Not Allowed", {"reason": "GET only"})
        if environ["PATH_INFO"] == "/metrics":
            content: Iterable[bytes] = exposition(environ, start)
            return content
        if environ["PATH_INFO"] == "/healthz":
            health = {
                "status": "ok" if metrics.is_healthy else "hangs",
                "seconds_since_alive": round(metrics.seconds_since_alive, 1),
            }
            status = "200 OK" if metrics.is_healthy else "503 Service Unavailable"
            return _say(start, status, health)
        return _say(start, "404 Not Found", {"reason": "/metrics and /healthz are here"})

    return answer


def _say(start: Callable[..., Any], status: str, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode("ascii")
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start(status, headers)
    return [body]
