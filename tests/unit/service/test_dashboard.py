import socket

import pytest

from tuner.errors import ConfigError
from tuner.search import close_storage, open_storage
from tuner.service import serve_dashboard
from tuner.service.door import decide_access


def test_taken_port_is_named(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    close_storage(open_storage(url, create=True))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"--port must be free; {port}"):
            serve_dashboard(url, access=decide_access(host="127.0.0.1"), port=port, ready=print)


def test_artifacts_must_be_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="--artifacts must be a folder"):
        serve_dashboard(
            "sqlite:///x",
            access=decide_access(host="127.0.0.1"),
            port=0,
            ready=print,
            artifacts=tmp_path / "none",
        )
