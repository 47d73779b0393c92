"""optuna-dashboard on the study's storage, for this machine only."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from tuner.errors import ConfigError
from tuner.search import cached_storage, storage_errors

__all__ = ["serve_dashboard"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def serve_dashboard(
    storage_url: str,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    in_container: bool = False,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    host
        A loopback address: the dashboard has no login, and whoever reaches it can delete studies.
    port
        0 takes a free one.
    ready
        Called with the address once it answers.
    in_container
        Listen on all interfaces; whoever publishes the port answers for who reaches it.

    Raises
    ------
    ConfigError
        If the host is not loopback, or the port is taken.
    """
    if in_container:
        if not any(path.exists() for path in _CONTAINER_MARKS):
            raise ConfigError("--in-container must be given inside a container; this is none.")
        host = "0.0.0.0"
    elif host not in LOOPBACK:
        raise ConfigError(
            f"--host must be one of {', '.join(LOOPBACK)}, since the dashboard has no login; "
            f"got {host!r}."
        )
    import optuna_dashboard
    import waitress

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The cache makes a refresh read only what is new.
    with storage_errors(storage_url), cached_storage(storage_url) as storage:
        try:
            listener = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(
                f"--port must be free; {port} on {host} is not: {error.strerror}."
            ) from error
        with listener:
            application = optuna_dashboard.wsgi(storage)
            server = waitress.create_server(application, sockets=[listener], threads=4)
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{listener.getsockname()[1]}/dashboard/")
            try:
                server.run()
            finally:
                server.close()
