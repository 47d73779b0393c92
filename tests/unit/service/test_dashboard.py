import socket
from wsgiref.util import setup_testing_defaults

import optuna_dashboard
import pytest

from tuner.errors import ConfigError
from tuner.search import cached_storage, close_storage, open_storage
from tuner.service import serve_dashboard
from tuner.service.dashboard_failures import answering, short_failures
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


@pytest.mark.parametrize("path", ["/api/studies", "/csv/0"])
def test_storage_that_fails_is_503_and_one_line_in_the_log(tmp_path, caplog, path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    close_storage(open_storage(url, create=True))
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    answers = []

    with cached_storage(url) as storage, short_failures(url):
        dashboard = optuna_dashboard.wsgi(storage)
        dashboard.catchall = False
        (tmp_path / "a.db").unlink()
        body = answering(dashboard, url)(environ, lambda status, *_: answers.append(status))

    assert answers == ["503 Service Unavailable"]
    assert b"".join(body) == b'{"reason": "the storage does not answer"}'
    assert [record.getMessage() for record in caplog.records] == [
        f"{url}: the file was deleted or replaced while it was in use."
    ]
    assert "Traceback" not in caplog.text
    assert 'File "' not in caplog.text
