"""`tuner pretrain` as a process: killed, stopped, continued, and what a study does with it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv
from tuner.cli.main import cli, run_command

TINY = ("--layers", "2", "--width", "16", "--heads", "2", "--length", "24", "--vocabulary", "300",
        "--batch-size", "8")  # fmt: skip
ENDLESS = ("pretrain", "corpus.txt", "--output", "ours", *TINY, "--steps", "1000000")


def start_and_send(number, cwd):
    """Start the endless pretraining, send a signal once it trains; exit code and stderr."""
    process = subprocess.Popen(
        command(*ENDLESS), cwd=cwd, env=environment(), text=True, encoding="utf-8",
        stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("step"):
            process.send_signal(number)
            break
    lines += list(process.stderr)
    process.stderr.close()
    return process.wait(timeout=120), "".join(lines)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A pretraining stopped by Ctrl-C, then killed, then ended by its minutes.

    Beside it lies what the kill left of it, as `damaged.unfinished` with a state cut short.
    """
    root = tmp_path_factory.mktemp("pretrain")
    texts = [text for text, _ in make_rows(200, seed=5)]
    (root / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    (root.parent / "few.txt").write_text("很好\n", encoding="utf-8")
    stopped = start_and_send(signal.SIGINT, root)
    killed = start_and_send(signal.SIGKILL, root)
    there = sorted(path.name for path in root.iterdir())
    shutil.copytree(root / "ours.unfinished", root / "damaged.unfinished")
    with (root / "damaged.unfinished" / "state.npz").open("r+b") as state:
        state.truncate(1000)
    ended = run_tuner(*ENDLESS, "--minutes", "0.001", "--json", cwd=root)
    return root, stopped, killed, there, ended


def test_ctrl_c_shows_the_line_to_continue_and_a_kill_leaves_no_half_folder(interrupted):
    _, (stopped, said), (killed, _), there, _ = interrupted

    assert stopped == 130
    assert f"tuner {' '.join(ENDLESS)}" in said
    assert "Traceback" not in said
    assert killed == -signal.SIGKILL
    assert there == ["corpus.txt", "ours.unfinished"]


def test_the_same_line_goes_on_and_leaves_the_folder_alone(interrupted):
    root, _, _, _, ended = interrupted
    about = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert about["steps"] > 0
    assert (root / "ours").is_dir()
    assert not (root / "ours.unfinished").exists()


def test_a_damaged_state_is_named_and_the_training_begins_again(interrupted, monkeypatch, capsys):
    root, *_ = interrupted
    monkeypatch.chdir(root)
    again = ["damaged" if word == "ours" else word for word in ENDLESS]

    code = run_command(cli, [*again, "--minutes", "0.001"])

    said = capsys.readouterr().err.splitlines()
    (warning,) = [line for line in said if line.startswith("warning:")]
    assert code == 0, said
    assert "damaged.unfinished/state.npz" in warning
    assert "begins again" in warning
    assert any(line.startswith("step 0/") for line in said)
    assert (root / "damaged" / "config.json").exists()
    assert not (root / "damaged.unfinished").exists()


def test_a_finished_folder_is_not_made_again(interrupted, monkeypatch, capsys):
    monkeypatch.chdir(interrupted[0])

    assert run_command(cli, ENDLESS) == 0
    assert "was finished already" in capsys.readouterr().out


def test_a_study_starts_from_the_folder_and_predicts(interrupted, tmp_path):
    root, *_ = interrupted
    table = write_csv(tmp_path / "reviews.csv", make_rows(60))
    searched = run_tuner(
        "optimize", "--data", str(table), *SMALL, "--set", "model.backbone=pretrained",
        "--set", f"model.checkpoint={root / 'ours'}", "--trials", "1", cwd=tmp_path,
    )  # fmt: skip
    predicted = run_tuner("predict", "房间很好", cwd=tmp_path)

    assert searched.returncode == 0, searched.stderr
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout.splitlines()[1].split(",")[0] in ("正面", "负面")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere.txt", "--output", "new"), 3, "nowhere.txt: no such file"),
        (("corpus.txt", "--output", "new", "--layers", "9"), 2, "2<=x<=6"),
        (("corpus.txt", "--output", "new", "--width", "50", "--heads", "3"), 2, "--heads must"),
        (("corpus.txt", "--output", "ours", "--seed", "7"), 2, "--output must be a folder that"),
        (("../few.txt", "--output", "new"), 3, "at least 50 texts"),
        (("corpus.txt", "--output", "new", "--text", "x"), 3, "--text names a column"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_leaves_nothing(
    interrupted, monkeypatch, capsys, arguments, code, said
):
    root, *_ = interrupted
    monkeypatch.chdir(root)
    before = sorted(root.iterdir())

    found = run_command(cli, ["pretrain", *arguments])
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]

    assert found == code
    assert len(errors) == 1
    assert said in errors[0]
    assert sorted(root.iterdir()) == before
