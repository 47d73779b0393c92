"""What a proxy in front says of its visitors: heard from the named one, dropped from others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from waitress.proxy_headers import clear_untrusted_headers, proxy_headers_middleware
from waitress.utilities import logger

from tuner.service.door.access import Network
from tuner.service.door.headers import Environ, StartResponse, WsgiApp

__all__ = ["CAME_BY_PROXY", "hear_proxies"]

CAME_BY_PROXY = "tuner.came_by_proxy"
_HEARD = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
_DROPPED = frozenset(f"X_FORWARDED_{name}" for name in ("FOR", "HOST", "PROTO", "PORT", "BY")) | {
    "FORWARDED"
}


def hear_proxies(application: WsgiApp, proxies: Sequence[Network]) -> WsgiApp:
    """Take address, scheme and host from the last proxy's headers, if it is one of these.

    From every other peer such headers are dropped, and the request is not marked as having come
    by the proxy.
    """
    heard = proxy_headers_middleware(
        application, trusted_proxy="*", trusted_proxy_count=1, trusted_proxy_headers=_HEARD
    )

    def answer(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        if _is_in(environ.get("REMOTE_ADDR", ""), proxies):
            answered: Iterable[bytes] = heard({**environ, CAME_BY_PROXY: True}, start)
            return answered
        environ = dict(environ)
        clear_untrusted_headers(environ, _DROPPED, log_warning=False, logger=logger)
        return application(environ, start)

    return answer


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(peer in network for network in networks)
