import sys

import pytest

from tuner.errors import ConfigError
from tuner.service.door import add_user, decide_access
from tuner.service.door.access import host_name

TOKEN = "t" * 32


def test_loopback_needs_no_login_and_is_read_only():
    access = decide_access(host="127.0.0.1")

    assert access.login is None
    assert not access.may_write
    assert access.hosts == {"127.0.0.1", "localhost", "[::1]"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"host": "0.0.0.0"}, "--host '0.0.0.0' must come with a login"),
        ({"host": "::"}, "--host '::' must come with a login"),
        ({"host": "192.168.1.2"}, "must come with a login"),
        ({"host": "localhost.example"}, "must come with a login"),
        # On loopback, but a proxy brings visitors from elsewhere.
        ({"host": "127.0.0.1", "proxies": ["127.0.0.1"]}, "--behind-proxy must come with a login"),
        ({"host": "0.0.0.0", "token": TOKEN}, "--allowed-host"),
        ({"host": "0.0.0.0", "token": TOKEN, "allowed_hosts": ["d.example"]}, "--plain-http"),
        ({"host": "127.0.0.1", "token": "short"}, "at least 32 characters"),
        ({"host": "127.0.0.1", "token": TOKEN, "writable": True}, "--writable"),
        ({"host": "127.0.0.1", "token": TOKEN, "proxies": ["0.0.0.0/0"]}, "everybody"),
        ({"host": "127.0.0.1", "token": TOKEN, "proxies": ["*"]}, "--behind-proxy must be"),
        ({"host": "127.0.0.1", "allowed_hosts": ["d.example:80"]}, "without a port"),
        ({"host": "127.0.0.1", "allowed_hosts": ["*"]}, "--allowed-host must be"),
    ],
)
def test_what_would_be_open_to_others_is_refused_by_the_option_s_name(options, complaint):
    with pytest.raises(ConfigError) as refused:
        decide_access(**options)
    assert complaint in str(refused.value)


def test_container_asks_for_a_login_too(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    with pytest.raises(ConfigError, match="--in-container must come with a login"):
        decide_access(host="127.0.0.1", in_container=True)
    access = decide_access(host="127.0.0.1", in_container=True, token=TOKEN)
    assert access.address == "0.0.0.0"
    assert access.has_secure_cookies


def test_container_flag_is_refused_outside_a_container(monkeypatch, tmp_path):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    module = sys.modules["tuner.service.door.access"]
    monkeypatch.setattr(module, "_CONTAINER_MARKS", (tmp_path / "nowhere",))

    with pytest.raises(ConfigError, match="--in-container must be given inside"):
        decide_access(host="127.0.0.1", in_container=True, token=TOKEN)


def test_users_file_opens_other_addresses(tmp_path):
    add_user(tmp_path / "users", "ann", "a long enough password", "reader")

    access = decide_access(
        host="0.0.0.0",
        users=tmp_path / "users",
        allowed_hosts=["Dash.Example"],
        proxies=["10.0.0.7"],
    )

    assert "dash.example" in access.hosts
    assert access.has_secure_cookies


@pytest.mark.parametrize("header", ["", "a b", "evil.com/x", "a@b", "[::1", "a:b:c", "名.com"])
def test_malformed_host_header_has_no_name(header):
    assert host_name(header) is None
