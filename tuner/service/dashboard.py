"""optuna-dashboard on the study's storage, behind the door."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from tuner.errors import ConfigError
from tuner.search import artifact_store, cached_storage, storage_errors
from tuner.service.dashboard_failures import answering, short_failures
from tuner.service.door import Access, Door, hear_proxies

__all__ = ["serve_dashboard"]

_HEADER_BYTES_MAX = 32 * 1024
_BODY_BYTES_MAX = 2**20
# The page sends a file as base64 in JSON.
_UPLOAD_BYTES_MAX = 32 * 2**20


def serve_dashboard(
    storage_url: str,
    *,
    access: Access,
    port: int,
    ready: Callable[[str], None],
    artifacts: Path | None = None,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    access
        Where it listens, under which names, and who is let in.
    port
        0 takes a free one.
    ready
        Called with the address once it answers.
    artifacts
        Folder of the studies' artifacts, given as downloads; None for none.

    Raises
    ------
    ConfigError
        If the port is taken, or the folder is none.
    """
    if artifacts is not None and not artifacts.is_dir():
        raise ConfigError(f"--artifacts must be a folder; {artifacts} is none.")
    import optuna_dashboard
    import waitress

    host = access.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The cache makes a refresh read only what is new.
    with (
        storage_errors(storage_url),
        short_failures(storage_url),
        cached_storage(storage_url) as storage,
    ):
        try:
            listener = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(
                f"--port must be free; {port} on {host} is not: {error.strerror}."
            ) from error
        with listener:
            store = None if artifacts is None else artifact_store(artifacts)
            dashboard = optuna_dashboard.wsgi(storage, artifact_store=store)
            dashboard.catchall = False  # it would print the stack
            server = waitress.create_server(
                hear_proxies(Door(answering(dashboard, storage_url), access), access.proxies),
                sockets=[listener],
                threads=8,
                ident="tuner",
                max_request_header_size=_HEADER_BYTES_MAX,
                max_request_body_size=_BODY_BYTES_MAX if store is None else _UPLOAD_BYTES_MAX,
                clear_untrusted_proxy_headers=False,  # the door hears or drops them itself
            )
            shown = f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{listener.getsockname()[1]}/dashboard/")
            try:
                server.run()
            finally:
                server.close()
