"""A password on the command line is seen by all users of the machine, and says so."""

import json

import pytest
from click.testing import CliRunner

from tuner.cli.status import status
from tuner.cli.worker import worker

# Nothing listens on the discard port.
WITH_PASSWORD = "postgresql://ann:secret@127.0.0.1:9/tuner"


@pytest.mark.parametrize(
    ("words", "environment", "is_warned"),
    [
        (["--storage", WITH_PASSWORD], {}, True),
        ([], {"OPTUNA_STORAGE": WITH_PASSWORD}, False),
        (["--storage", WITH_PASSWORD.replace(":secret", "")], {}, False),
    ],
)
def test_password_among_the_arguments_is_warned_of_and_never_shown(words, environment, is_warned):
    shown = CliRunner().invoke(status, words, env=environment)

    assert ("warning: --storage has a password in it" in shown.stderr) == is_warned
    assert "secret" not in shown.output + shown.stderr + str(shown.exception)


@pytest.mark.usefixtures("logger")
def test_with_a_json_log_the_warning_is_one_of_its_lines():
    words = ["--storage", WITH_PASSWORD, "--log-format", "json", "--storage-wait", "0s"]

    shown = CliRunner().invoke(worker, words)

    first = json.loads(shown.stderr.splitlines()[0])
    assert first["level"] == "WARNING"
    assert first["message"].startswith("warning: --storage has a password in it")
