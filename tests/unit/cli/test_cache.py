from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from tuner.cli.main import cli, run_command
from tuner.persist import Cache


@pytest.fixture
def output(tmp_path):
    cache = Cache(tmp_path / "cache")
    for stage, key, days in (("segments", "a" * 64, 40), ("encoding", "b" * 64, 2)):
        cache.obtain(stage, key, lambda writer: writer.put("ids", np.zeros(5000, np.uint8)))
        path = tmp_path / "cache" / stage / f"{key}.arrays"
        then = time.time() - days * 86_400
        os.utime(path, (then, then))
    return tmp_path


def tuner_cache(output, *arguments):
    return run_command(cli, ["cache", *arguments, "--output", str(output)])


def stages(output):
    return [entry.stage for entry in Cache(output / "cache").entries()]


def test_show_lists_stage_size_and_last_use(output, capsys):
    assert tuner_cache(output, "show") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["encoding", "b" * 12, "5.1", "KB", "2", "d", "ago"]
    assert lines[2].split() == ["segments", "a" * 12, "5.1", "KB", "40", "d", "ago"]
    assert lines[3] == "2 entries, 10.2 KB (limit 20.0 GB)"


def test_show_tells_what_weights_take_beside_it(output, capsys):
    (output / "study" / "blobs").mkdir(parents=True)
    (output / "study" / "blobs" / "a.blob").write_bytes(bytes(2_500))

    tuner_cache(output, "show")

    assert "beside the cache: 2.5 KB" in capsys.readouterr().out


def test_show_does_without_a_checkpoint_that_a_running_study_removes_meanwhile(output, capsys):
    (output / "study" / "blobs").mkdir(parents=True)
    (output / "study" / "blobs" / "a.blob").write_bytes(bytes(2_500))
    (output / "study" / "blobs" / "gone.blob").symlink_to(output / "nowhere")

    assert tuner_cache(output, "show") == 0

    assert "beside the cache: 2.5 KB" in capsys.readouterr().out


def test_show_as_json(output, capsys):
    tuner_cache(output, "show", "--json")

    shown = json.loads(capsys.readouterr().out)
    assert [entry["stage"] for entry in shown["entries"]] == ["encoding", "segments"]
    assert shown["n_bytes"] == sum(entry["n_bytes"] for entry in shown["entries"])


def test_verify_finds_and_removes_what_is_damaged(output, capsys):
    assert tuner_cache(output, "verify") == 0
    path = output / "cache" / "segments" / f"{'a' * 64}.arrays"
    path.write_bytes(path.read_bytes()[:-1])

    assert tuner_cache(output, "verify") == 1

    assert "2 entries read, 1 damaged and removed" in capsys.readouterr().out
    assert stages(output) == ["encoding"]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--older-than", "30d"], ["encoding"]),
        (["--max-size", "6KB"], ["encoding"]),
        (["--max-size", "0"], []),
        ([], ["encoding", "segments"]),
    ],
)
def test_prune_removes_by_age_and_size(output, options, left):
    assert tuner_cache(output, "prune", *options) == 0

    assert stages(output) == left


def test_limit_holds_for_prune_and_can_be_lifted(output, capsys):
    tuner_cache(output, "limit", "6KB")
    tuner_cache(output, "prune")
    assert stages(output) == ["encoding"]

    tuner_cache(output, "limit", "none")
    tuner_cache(output, "show")

    assert "(no limit)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune", "--max-size", "much"], "must be bytes, or such as 500MB or 20GB; got 'much'"),
        (["prune", "--older-than", "3"], "such as 90m, 12h or 30d; got '3'"),
        (["limit", "-5GB"], "No such option"),
    ],
)
def test_wrong_value_is_one_line(output, capsys, arguments, words):
    assert tuner_cache(output, *arguments) == 2

    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_cache_that_is_not_there_is_empty(tmp_path, capsys):
    assert tuner_cache(tmp_path / "nowhere", "show") == 0

    assert capsys.readouterr().out.startswith("0 entries")
    assert not (tmp_path / "nowhere").exists()
