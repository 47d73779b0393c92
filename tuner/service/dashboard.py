"""optuna-dashboard on the study's storage, for this machine only."""

from __future__ import annotations

from collections.abc import Callable

from tuner.errors import ConfigError
from tuner.search import cached_storage, storage_errors

__all__ = ["serve_dashboard"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve_dashboard(
    storage_url: str, *, host: str, port: int, ready: Callable[[str], None]
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

    Raises
    ------
    ConfigError
        If the host is not loopback, or the port is taken.
    """
    if host not in LOOPBACK:
        raise ConfigError(
            f"--host must be one of {', '.join(LOOPBACK)}, since the dashboard has no login; "
            f"got {host!r}."
        )
    import optuna_dashboard
    import waitress

    with storage_errors(storage_url):
        # The cache makes a refresh read only what is new.
        application = optuna_dashboard.wsgi(cached_storage(storage_url))
        try:
            server = waitress.create_server(application, host=host, port=port, threads=4)
        except OSError as error:
            raise ConfigError(
                f"--port must be free; {port} on {host} is not: {error.strerror}."
            ) from error
        address = f"http://{host}:{server.effective_port}/dashboard/"
        ready(address)
        try:
            server.run()
        finally:
            server.close()
