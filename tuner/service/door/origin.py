"""Where a request comes from: under which name, by which way, from whose page."""

from __future__ import annotations

from tuner.service.door.access import LOOPBACK_NAMES, Access, host_name
from tuner.service.door.headers import READS, Environ
from tuner.service.door.proxy import CAME_BY_PROXY

__all__ = ["is_own_request", "misdirected"]


def misdirected(environ: Environ, access: Access) -> str | None:
    """Say what is wrong with how the request came here; None for nothing."""
    try:
        environ["PATH_INFO"].encode("latin-1").decode("utf-8")
    except UnicodeError:
        return "the address is no UTF-8"
    name = host_name(environ.get("HTTP_HOST", ""))
    # A page elsewhere can point its own name at this machine (DNS rebinding).
    if name is None or name not in access.hosts:
        return "the dashboard does not answer under this name; --allowed-host names others"
    if access.proxies and not environ.get(CAME_BY_PROXY):
        return "the dashboard is reached through its proxy"
    is_readable = environ["wsgi.url_scheme"] != "https" and name not in LOOPBACK_NAMES
    if is_readable and not access.is_plain:
        return "logins are taken over TLS; the proxy must say X-Forwarded-Proto: https"
    return None


def is_own_request(environ: Environ) -> bool:
    """Say whether the browser says that the request comes from the dashboard itself.

    Fetch Metadata where it is sent, else the Origin header; a write has one of them in every
    browser of the last years. Links from elsewhere may be followed, nothing else.
    """
    is_read = environ["REQUEST_METHOD"] in READS
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        is_link = is_read and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        return site == "same-origin" or (is_read and site == "none") or is_link
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        own = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        return bool(origin.lower() == own.lower())
    return is_read
