from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import parent_process

import psutil

from tests.conftest import environment
from tuner.preprocess.parallel import over_processes


def doubled(piece):
    return 2 * piece


def doubled_but_not_by_others(piece):
    if parent_process() is not None:
        os._exit(1)  # as the kernel does to a process for which memory is lacking
    return 2 * piece


def test_results_come_in_the_order_of_the_pieces():
    assert list(over_processes(doubled, range(20), processes=2)) == list(range(0, 40, 2))


def test_process_that_dies_costs_no_result(caplog):
    results = list(over_processes(doubled_but_not_by_others, range(5), processes=2))

    assert results == [0, 2, 4, 6, 8]
    assert "going on with one process" in caplog.text


SLOW = """
import signal, sys, time
from tuner.preprocess.parallel import over_processes

if __name__ == "__main__":
    # A shell's background job, as the tests may be, begins with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for done in over_processes(time.sleep, [0.1, 0.1, *[0.5] * 100], processes=2):
            print("running", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def start_slow(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, str(script)], env=environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.readline()
    return process, psutil.Process(process.pid).children(recursive=True)


def test_helpers_end_when_their_process_is_killed(tmp_path):
    process, helpers = start_slow(tmp_path)
    assert len(helpers) >= 2

    process.kill()
    process.communicate(timeout=30)

    assert psutil.wait_procs(helpers, timeout=30)[1] == []


def test_ctrl_c_ends_all_processes_and_only_one_of_them_says_so(tmp_path):
    process, helpers = start_slow(tmp_path)
    time.sleep(0.2)

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (130, "")
    assert psutil.wait_procs(helpers, timeout=30)[1] == []
