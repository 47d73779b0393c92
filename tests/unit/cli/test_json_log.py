"""With `--log-format json` stderr holds JSON lines and nothing else, whoever writes there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import environment, run_tuner

SAYING = """
import logging, warnings
from tuner.cli.logs import log_to_stderr
for _ in range(2):
    log_to_stderr(verbose=False, quiet=False, log_format="json")
warnings.warn("two\\nlines")
logging.getLogger("library").warning("of %s", "its own")
logging.getLogger("tuner.search").warning("ours")
"""


def test_warnings_and_lines_of_libraries_are_json_too():
    said = subprocess.run(
        [sys.executable, "-c", SAYING], env=environment(), capture_output=True, text=True,
        check=True,
    ).stderr  # fmt: skip

    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["logger"] for line in lines] == ["py.warnings", "library", "tuner.search"]
    assert "UserWarning: two\nlines" in lines[0]["message"]
    assert [line["message"] for line in lines[1:]] == ["of its own", "ours"]


@pytest.mark.parametrize("words", [["--log-format", "json"], ["--log-format=json"]])
def test_unknown_option_is_said_in_json(tmp_path, words):
    result = run_tuner("worker", "--bogus", *words, cwd=tmp_path)

    assert result.returncode == 2
    (line,) = [json.loads(line) for line in result.stderr.splitlines()]
    assert "No such option '--bogus'" in line["message"]
