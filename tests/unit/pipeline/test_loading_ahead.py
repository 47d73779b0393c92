"""TensorFlow loads ahead in a thread where that holds back nothing of what others say."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from tuner.cli.own_stderr import take_own_stderr
from tuner.pipeline import load_training_ahead
{first}
load_training_ahead()
loading = [each for each in threading.enumerate() if each.name == "load-training"]
print("said meanwhile", file=sys.stderr, flush=True)
for each in loading:
    each.join()
print(len(loading), "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(("first", "found"), [("take_own_stderr()", "1 True"), ("", "0 False")])
def test_what_is_said_while_it_loads_is_seen(first, found):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == found
    assert done.stderr == "said meanwhile\n"
