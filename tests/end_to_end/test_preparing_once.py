"""Two studies on one table at the same moment prepare its texts once."""

from __future__ import annotations

import json
import subprocess

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv


def test_two_studies_at_once_make_each_stage_once_and_a_later_one_none(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(120))

    def line(seed):
        return command(
            "optimize", "--data", "reviews.csv", "--trials", "1", *SMALL, "--seed", str(seed),
            "--verbose",
        )  # fmt: skip

    processes = [
        subprocess.Popen(
            line(seed), cwd=tmp_path, env=environment(), text=True, encoding="utf-8",
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    said = "".join(process.communicate(timeout=300)[1] for process in processes)
    later = subprocess.run(
        line(3), cwd=tmp_path, env=environment(), text=True, encoding="utf-8", check=True,
        capture_output=True, timeout=300,
    )  # fmt: skip

    assert [process.returncode for process in processes] == [0, 0], said
    for stage in ("cleaning", "segments", "vocabulary", "encoding"):
        assert said.count(f"{stage} made") == 1, said
        assert f"{stage} kept" in later.stderr
    shown = json.loads(run_tuner("cache", "show", "--json", cwd=tmp_path).stdout)
    stages = [entry["stage"] for entry in shown["entries"]]
    assert (stages.count("vocabulary"), stages.count("encoding")) == (1, 1)
