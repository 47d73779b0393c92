"""A process that was told to stop, or failed, ends with its code and loses nothing it has said."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from tuner.cli.leaving import end_with
def run():
    class Slow:
        def __del__(self):
            print("library taken down", flush=True)
    sys.modules["library"] = Slow()  # goes when the interpreter takes its modules down
    atexit.register(print, "registered")
    print("said")
    print("failed", file=sys.stderr)
    return int(sys.argv[1])
end_with(run)
"""


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (0, ["said", "registered", "library taken down"]),
        (1, ["said", "registered"]),
        (130, ["said", "registered"]),
        (143, ["said", "registered"]),
    ],
)
def test_all_that_was_said_is_there_and_only_the_taking_down_is_left_out(code, lines):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(code)], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == code
    assert done.stdout.split("\n")[:-1] == lines
    assert done.stderr == "failed\n"


def test_ctrl_c_while_modules_load_ends_quietly():
    program = (
        "from tuner.cli.leaving import end_with\ndef run(): raise KeyboardInterrupt\nend_with(run)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)

    assert (done.returncode, done.stderr) == (130, b"")


def test_failure_does_not_wait_for_a_thread_that_still_loads_something():
    program = (
        "import threading, time\n"
        "from tuner.cli.leaving import end_with\n"
        "threading.Thread(target=time.sleep, args=[1000]).start()\n"
        "end_with(lambda: 1)"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)

    assert done.returncode == 1
