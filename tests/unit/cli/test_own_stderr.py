"""What Python says reaches the user, also while TensorFlow's own noise is held back."""

import subprocess
import sys

PROGRAM = """
import os, sys
from tuner.cli.own_stderr import take_own_stderr
take_own_stderr()
with open(os.devnull, "w") as held:
    os.dup2(held.fileno(), 2)  # as in tuner.models.runtime
os.write(2, b"noise")
print("错误: the disk is full", file=sys.stderr)
"""


def test_line_that_is_said_while_descriptor_2_is_held_back_is_seen():
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PROGRAM], capture_output=True, timeout=60, check=False
    )

    assert done.stderr.decode("utf-8") == "错误: the disk is full\n"


def test_process_without_stderr_runs_all_the_same():
    program = "from tuner.cli.own_stderr import take_own_stderr; take_own_stderr()"
    line = ["sh", "-c", f"exec {sys.executable} -c '{program}' 2>&-"]

    assert subprocess.run(line, timeout=60, check=False).returncode == 0
