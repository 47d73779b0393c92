"""Two starts of one command at the same moment make one study."""

from __future__ import annotations

import json
import subprocess

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv


def test_two_starts_at_once_share_one_study_and_read_the_test_once(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(120))
    line = command(
        "--data",
        "reviews.csv",
        "--trials",
        "8",
        *SMALL,
        "--study-name",
        "s",
        module="tuner.optimize",
    )
    processes = [
        subprocess.Popen(
            line,
            cwd=tmp_path,
            env=environment(),
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    (study,) = json.loads(run_tuner("status", "--json", cwd=tmp_path).stdout)
    assert (study["finished"], study["failed"], study["running"]) == (8, 0, 0)
    best = json.loads((tmp_path / "runs/s/best_params.json").read_text(encoding="utf-8"))
    assert best["test"]["reads"] == 1
    assert best["trial"] == study["best_trial"]
