"""`tuner storage copy` of a study whose data and weights lie in its run directory."""

from __future__ import annotations

import json
import shutil

from tests.conftest import SMALL, make_rows, run_tuner, write_csv

LINE = ("--data", "reviews.csv", "--study-name", "s", *SMALL)


def test_copied_study_goes_on_with_its_run_directory_and_is_told_where_that_is(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    begun = run_tuner("optimize", *LINE, "--trials", "1", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr

    def copy(name, *more):
        copied = run_tuner(
            "storage", "copy", "sqlite:///runs/tuner.db", f"sqlite:///{name}.db", *more,
            cwd=tmp_path,
        )  # fmt: skip
        assert copied.returncode == 0, copied.stderr
        counts, advice = copied.stdout.splitlines()
        assert counts == "s: 1 trials, 0 blobs"
        assert "data, weights and checkpoints are not copied" in advice
        return advice

    assert copy("a").endswith("go on with --output runs, elsewhere with a copy of runs/s")
    more = run_tuner(
        "optimize", *LINE, "--trials", "2", "--storage", "sqlite:///a.db", cwd=tmp_path
    )
    assert more.returncode == 0, more.stderr
    best = json.loads((tmp_path / "runs/s/best_params.json").read_text(encoding="utf-8"))
    assert best["trials"]["complete"] == 2

    assert "elsewhere/s is not that: bring it there" in copy("b", "--output", "elsewhere")
    shutil.copytree(tmp_path / "runs/s", tmp_path / "elsewhere/s")
    assert "go on with --output elsewhere" in copy("c", "--output", "elsewhere")
    for blob in (tmp_path / "elsewhere/s/blobs").glob("*.blob"):
        blob.unlink()
    assert "has no weights of its best trial: bring them" in copy("d", "--output", "elsewhere")
