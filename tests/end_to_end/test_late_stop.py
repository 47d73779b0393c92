"""A process that is told to stop within a native call hands its trial back all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing

import pytest

from tests.conftest import ROOT
from tuner.config import load_settings
from tuner.search import Search

PROGRAM = """
import hashlib, sys
from tests.fake_trainer import NoStore, Quiet
from tuner.cli import signals
from tuner.config import load_settings
from tuner.last_resort import in_my_place
from tuner.search import Search

signals._LATE_SECONDS = 0.5

def compile_for_hours(*_, **__):
    print("compiling", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # one native call, as XLA's are

with signals.Signals() as told:
    search = Search(load_settings(), fingerprint="f", storage_url=sys.argv[1], study_name="s")
    search.run(compile_for_hours, total=3, progress=Quiet(),
               stop_requested=told.stop_requested, store=NoStore())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_trial_is_handed_back_from_within_a_long_compilation(tmp_path, number, code):
    url = f"sqlite:///{tmp_path / 's.db'}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "compiling\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)

    assert process.returncode == code
    assert said == "stopped while a network was being compiled; what was cut off runs again\n"
    with closing(
        Search(load_settings(), fingerprint="f", storage_url=url, study_name="s")
    ) as search:
        assert search.n_reaped == 0  # nothing was left running
        (trial,) = search.trials()
        assert (trial.state, trial.is_retried) == ("failed", True)
        assert trial.attributes["failure"] == f"stopped by signal {number}"


def test_process_that_is_late_with_something_else_goes_on_to_its_end():
    program = (
        "import hashlib\n"
        "from tuner.cli import signals\n"
        "signals._LATE_SECONDS = 0.1\n"
        "with signals.Signals() as told:\n"
        "    try: told.stop_requested()\n"
        "    finally: print('begins', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 5_000_000)\n"
        "    print('results are written', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout.readline() == "begins\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=120)

    assert out == "results are written\n"
    assert process.returncode == 0
