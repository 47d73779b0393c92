"""Values of options are refused in one line that says the rule and what came in."""

import pytest

from tuner.cli.main import cli, run_command


@pytest.mark.parametrize("option", ["--budget", "--timeout"])
@pytest.mark.parametrize(
    "value",
    ["-5", "0", "0.0h", "abc", "", " ", "5d", "1h30m", "2,5h", "1e3", "inf", "nan", "99999999h"],
)
def test_times_that_make_no_sense_are_refused(option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code = run_command(cli, ["optimize", option, value])

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert option in line
    assert "must be seconds above 0, or such as 90s, 30m, 2h, and at most ten years" in line
    assert line.endswith(f"got {value!r}.")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--trials", "--workers"])
@pytest.mark.parametrize(
    "value", ["-1", "0", "1.5", "1e3", "abc", "", "none", "1000001", "9" * 30]
)
def test_counts_that_make_no_sense_are_refused(option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code = run_command(cli, ["optimize", option, value])

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.endswith(f"must be a whole number from 1 to 1,000,000; got {value!r}.")
    assert option in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    ["", "5", "0:5", "5:0", "21:5", "a:b", "5:5:5", "1.5:2", "5:-1", "-1:5", "1000:5", "5:1000"],
)
def test_confirmations_that_make_no_sense_are_refused(value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code = run_command(cli, ["optimize", f"--confirm={value}"])

    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert "--confirm" in line
    assert "must be none or K:SEEDS, such as 5:5" in line
    assert line.endswith(f"got {value!r}.")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_refuses_a_confirmation_among_trials_without_weights(
    table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)

    code = run_command(
        cli,
        ["optimize", "--data", str(table), "--confirm", "3:2", "--dry-run",
         "--set", "workers.weights_kept=2"],
    )  # fmt: skip

    assert code == 2
    assert "workers.weights_kept must be at least the K of --confirm" in capsys.readouterr().err
