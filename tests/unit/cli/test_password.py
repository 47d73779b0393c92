"""A password on the command line is seen by all users of the machine, and says so."""

import pytest
from click.testing import CliRunner

from tuner.cli.status import status

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
