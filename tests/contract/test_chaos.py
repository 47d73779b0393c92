"""The kill drill in its short form: see `make chaos`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.chaos import Drill, check_journal
from tests.conftest import ROOT, environment


def test_killed_workers_lose_nothing_on_sqlite(tmp_path):
    report = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", "--storage", "sqlite", "--trials", "8",
         "--kill-every", "1.5", "--epoch-seconds", "0.1", "--kills", "3"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip

    assert report.returncode == 0, report.stderr
    found = json.loads(report.stdout.removeprefix("sqlite "))
    assert found["finished"] == 8
    assert found["kills"] >= 3


def journal(tmp_path, *lines):
    path = tmp_path / "journal"
    path.write_text("".join(f"{at} t {line}\n" for at, line in enumerate(lines)), "ascii")
    return path


def test_drill_notices_an_epoch_that_runs_after_it_was_saved(tmp_path):
    sound = ["begin 1 7", "saved 1 7", "begin 2 7", "begin 2 8", "saved 2 8"]

    assert check_journal(journal(tmp_path, *sound)) == 1
    with pytest.raises(AssertionError, match="epoch 1 after 2 was saved"):
        check_journal(journal(tmp_path, *sound, "begin 1 9"))


def test_drill_notices_two_processes_in_one_trial(tmp_path):
    with pytest.raises(AssertionError, match="two processes ran one trial at once"):
        check_journal(journal(tmp_path, "begin 1 7", "begin 1 8", "saved 1 7"))


def test_drill_notices_a_total_that_is_not_exact(tmp_path):
    from tuner.config import load_settings
    from tuner.search import Search

    url = f"sqlite:///{tmp_path / 'drill.db'}"
    Search(load_settings(), fingerprint="f", storage_url=url, study_name="drill").close()

    with pytest.raises(AssertionError, match="0 finished, 3 asked for"):
        Drill(url, tmp_path, 3, 1.0, 0.1).check()
