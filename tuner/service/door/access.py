"""Who may come from where: the rules that the options of `tuner dashboard` add up to."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import ConfigError
from tuner.service.door.credentials import Login
from tuner.service.door.users import Users

__all__ = ["LOOPBACK_NAMES", "Access", "Network", "decide_access", "host_name"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
TOKEN_LENGTH_MIN = 32
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one door.

    `login` None lets everybody in who reaches it, as on loopback. `hosts` are the names under
    which it answers. `proxies` are the networks of the one proxy in front whose word is
    trusted; none if empty. `is_plain` takes logins without TLS under other names than
    loopback's. `may_write` gives the writer's role to those who need no login.
    """

    address: str
    login: Login | None
    hosts: frozenset[str]
    proxies: tuple[Network, ...] = ()
    is_plain: bool = False
    may_write: bool = False

    @property
    def has_secure_cookies(self) -> bool:
        """Browsers keep them over TLS and on loopback."""
        return not self.is_plain


def decide_access(
    *,
    host: str,
    in_container: bool = False,
    users: Path | None = None,
    token: str | None = None,
    allowed_hosts: Sequence[str] = (),
    proxies: Sequence[str] = (),
    plain_http: bool = False,
    writable: bool = False,
) -> Access:
    """Turn options into rules; whatever reaches beyond loopback has a login.

    Raises
    ------
    ConfigError
        If it would be open to others, or an option is malformed.
    """
    if in_container and not _is_in_container():
        raise ConfigError("--in-container must be given inside a container; this is none.")
    address = "0.0.0.0" if in_container else host
    login = _login(users, token)
    names = _names(allowed_hosts)
    networks = tuple(_network(proxy) for proxy in proxies)
    is_local = address in ("127.0.0.1", "localhost", "::1") and not networks
    if not is_local and login is None:
        what = (
            "--in-container"
            if in_container
            else "--behind-proxy"
            if networks
            else f"--host {host!r}"
        )
        raise ConfigError(
            f"{what} must come with a login, since others can reach the dashboard then: --users "
            "FILE, or a token in the environment's TUNER_DASHBOARD_TOKEN."
        )
    if not is_local and not in_container and not names:
        raise ConfigError(
            "--allowed-host must name the host that stands in the visitors' address bar, since "
            "the dashboard answers under no other; none was given."
        )
    if names and not networks and not plain_http:
        raise ConfigError(
            "--allowed-host must come with --behind-proxy ADDRESS of a proxy that speaks TLS, or "
            "with --plain-http, which lets names and passwords travel readable; got neither."
        )
    if writable and login is not None:
        raise ConfigError(
            "--writable is for a dashboard without a login; who may write is said in the users "
            "file: `tuner dashboard users add NAME --role writer`."
        )
    return Access(
        address,
        login,
        LOOPBACK_NAMES | names,
        proxies=networks,
        is_plain=plain_http,
        may_write=writable,
    )


def host_name(header: str) -> str | None:
    """Give the name of a Host header, without its port; None if it is malformed.

    >>> host_name("Localhost:8080"), host_name("[::1]:8080"), host_name("a b")
    ('localhost', '[::1]', None)
    """
    match = _HOST.fullmatch(header.strip().lower())
    return None if match is None else match[1].rstrip(".")


def _login(users: Path | None, token: str | None) -> Login | None:
    if token is not None and len(token) < TOKEN_LENGTH_MIN:
        raise ConfigError(
            f"TUNER_DASHBOARD_TOKEN must have at least {TOKEN_LENGTH_MIN} characters, since it "
            f"is guessed otherwise (`openssl rand -hex 32` makes one); got {len(token)}."
        )
    if users is None and token is None:
        return None
    return Login(None if users is None else Users(users), token)


def _names(allowed_hosts: Sequence[str]) -> frozenset[str]:
    names = set()
    for given in allowed_hosts:
        name = host_name(given)
        if name is None or name != given.strip().lower():
            raise ConfigError(
                f"--allowed-host must be a name or an address without a port; got {given!r}."
            )
        names.add(name)
    return frozenset(names)


def _network(proxy: str) -> Network:
    try:
        network = ipaddress.ip_network(proxy.strip())
    except ValueError as error:
        raise ConfigError(
            f"--behind-proxy must be the proxy's address or network, such as 10.0.0.7 or "
            f"10.1.0.0/16; got {proxy!r}."
        ) from error
    if network.prefixlen == 0:
        raise ConfigError(
            f"--behind-proxy must name the proxy, since its word is trusted; {proxy} is everybody."
        )
    return network


def _is_in_container() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(
        path.exists() for path in _CONTAINER_MARKS
    )
