"""Bad settings end in one line with exit code 2 before anything is written."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess

import pytest

from tests.conftest import SMALL, command, environment, make_rows, write_csv

CASES = [
    (["--set", "model.frozen_depth=7"], ["model.frozen_depth", "at most 2", "got 7"]),
    (["--set", "space.model.frozen_depth={choices=[7,0]}"], ["choices[0]", "at most 2", "got 7"]),
    (["--set", "space.model.backbone={choices=['average','textcn']}"],
     ["space.model.backbone", "Did you mean 'textcnn'"]),
    (["--set", "space.training.learnig_rate=off"], ["Did you mean 'training.learning_rate'"]),
    (["--set", "space.training.learning_rate=0"], ["space.training.learning_rate", "got 0"]),
    (["--set", "space.model.kernel_sizes={choices=[[3,4]]}"], ["space.model.kernel_sizes"]),
    (["--set", "training.learning_rate=true"], ["training.learning_rate", "got true"]),
    (["--data", ""], ["data.path", "empty", "''"]),
    (["--test", ""], ["data.test", "empty", "''"]),
    (["--study", "no_table", "--set", "model.dropout=0.1"], ["model must be a table", "got 3"]),
    (["--storage", "sqlite://u:geheim@x.db"], ["--storage", "***"]),
    (["--storage", "postgresql://u:sec@geheim@h:notaport/d"], ["--storage", "***"]),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    write_csv(tmp_path / "good.csv", make_rows(60))
    (tmp_path / "no_table").mkdir()
    (tmp_path / "no_table" / "study.toml").write_text("model = 3\n")
    return tmp_path


@pytest.mark.parametrize(("arguments", "words"), CASES, ids=lambda v: str(v)[:60])
def test_bad_setting_ends_in_one_line_and_writes_nothing(
    folder, arguments, words, monkeypatch, capsys
):
    from tuner.cli.main import run_command
    from tuner.cli.optimize import optimize

    monkeypatch.chdir(folder)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    before = {path.name for path in folder.iterdir()}

    code = run_command(optimize, ["--data", "good.csv", "--trials", "1", *SMALL, *arguments])

    said = capsys.readouterr().err
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert code == 2, said
    assert len(errors) == 1, said
    assert all(word in errors[0] for word in words), errors[0]
    assert "Traceback" not in said and "geheim" not in said
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["status", "dashboard"])
def test_other_programs_database_is_refused_unchanged(folder, name, monkeypatch, capsys):
    from tuner.cli.main import cli, run_command

    database = sqlite3.connect(folder / "people.db")
    database.execute("CREATE TABLE people (name TEXT)")
    database.close()
    content = (folder / "people.db").read_bytes()
    monkeypatch.chdir(folder)

    assert run_command(cli, [name, "--storage", "sqlite:///people.db"]) == 2

    assert "holds no studies" in capsys.readouterr().err
    assert (folder / "people.db").read_bytes() == content
    assert not list(folder.glob("people.db?*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_dashboard_ends_with_the_code_of_its_signal(folder, number, code):
    from tuner.search import close_storage, open_storage

    close_storage(open_storage(f"sqlite:///{folder / 'a.db'}", create=True))
    line = command("dashboard", "--port", "0", "--storage", "sqlite:///a.db")
    with subprocess.Popen(line, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout.readline().startswith("dashboard: http://127.0.0.1:")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

    assert process.returncode == code
    assert said.strip() == "stopped"


def test_what_means_nothing_for_the_backbone_is_warned_of_and_not_in_the_space_of_a_dry_run(
    folder, monkeypatch, capsys
):
    from tuner.cli.main import run_command
    from tuner.cli.optimize import optimize

    monkeypatch.chdir(folder)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    sets = ("model.backbone=linear", "model.kernel_sizes=[2]", "space.model.width={low=8,high=16}")
    flags = [flag for each in sets for flag in ("--set", each)]

    code = run_command(optimize, ["--data", "good.csv", "--dry-run", "--quiet", *flags])

    out, err = capsys.readouterr()
    warning = "model.kernel_sizes, space.model.width: mean nothing for linear and are ignored"
    asked = json.loads(out)["settings"]["space"]
    assert code == 0, err
    assert warning in err
    assert "model.token_dropout" in asked
    assert not {"model.width", "model.dropout", "training.encoder_learning_rate"} & {*asked}


def test_submit_warns_of_what_means_nothing_for_the_backbone(folder, monkeypatch, capsys):
    from tuner.cli.main import cli, run_command

    monkeypatch.chdir(folder)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    sets = ("--set", "model.backbone=textcnn", "--set", "model.pooling=cls")

    assert run_command(cli, ["submit", "--data", "good.csv", "--trials", "1", *sets]) == 0

    assert "model.pooling: means nothing for textcnn and is ignored" in capsys.readouterr().err
