"""Cores and threads, as a process of its own sees them."""

import os
import subprocess
import sys

import pytest

ASK = "from tuner.cores import cores, threads; print(cores(), threads())"


def ask(**environment):
    found = subprocess.run(
        [sys.executable, "-c", ASK], env={**os.environ, **environment}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return [int(number) for number in found.stdout.split()]


def test_a_process_that_is_tied_to_one_core_counts_one():
    found = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [0]); {ASK}"],
        env={name: value for name, value in os.environ.items() if "THREADS" not in name},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert found.stdout.split() == ["1", "1"]


@pytest.mark.parametrize("given", ["", "0", "many"])
def test_a_number_of_threads_that_says_nothing_means_all_cores(given):
    n_cores, n_threads = ask(TF_NUM_INTRAOP_THREADS=given)

    assert n_threads == n_cores


def test_no_threads_at_all_are_refused():
    found = subprocess.run(
        [sys.executable, "-m", "tuner", "optimize", "--threads", "0", "--dry-run"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert found.returncode == 2
    assert "--threads" in found.stderr
    assert "Traceback" not in found.stderr
