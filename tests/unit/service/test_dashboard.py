import pytest

from tuner.errors import ConfigError
from tuner.service import serve_dashboard


def test_container_flag_is_refused_outside_a_container(monkeypatch, tmp_path):
    import sys

    module = sys.modules["tuner.service.dashboard"]
    monkeypatch.setattr(module, "_CONTAINER_MARKS", (tmp_path / "nowhere",))

    with pytest.raises(ConfigError, match="--in-container"):
        serve_dashboard("sqlite:///x", host="127.0.0.1", port=0, ready=print, in_container=True)


def test_taken_port_is_named(tmp_path):
    import socket

    from tuner.search import close_storage, open_storage

    url = f"sqlite:///{tmp_path / 'a.db'}"
    close_storage(open_storage(url, create=True))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"--port must be free; {port}"):
            serve_dashboard(url, host="127.0.0.1", port=port, ready=print)
