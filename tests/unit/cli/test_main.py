"""What the console script does around every command."""

from __future__ import annotations

import io
import sys

import click
import pytest

from tuner.cli.main import COMMANDS, cli, run_command
from tuner.errors import Interrupted


def command(body):
    return click.command(name="test")(body)


def test_chinese_is_escaped_where_the_stream_cannot_hold_it(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)

    code = run_command(command(lambda: sys.stdout.write("很好 ok\n") and None), [])

    stream.flush()
    assert code == 0
    assert stream.buffer.getvalue() == b"\\u5f88\\u597d ok\n"


def test_bare_tuner_prints_the_help_as_it_is_and_ends_with_2(capsys):
    assert run_command(cli, []) == 2

    said = capsys.readouterr().err
    assert "error:" not in said
    assert said.startswith("Usage:")
    assert "\n  status " in said


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(2)])
def test_interruption_says_stopped(capsys, error):
    def body():
        raise error

    assert run_command(command(body), []) == 130

    assert capsys.readouterr().err.strip() == "stopped"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_holds_no_sign_for_the_formatter(capsys, name):
    assert run_command(cli, [name, "--help"]) == 0

    said = capsys.readouterr().out
    assert "\\b" not in said and "\b" not in said
    assert "Example" in said
