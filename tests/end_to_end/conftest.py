"""A real browser (Debian's Chromium, headless), a real PostgreSQL, commands without a process."""

from __future__ import annotations

import shutil
from subprocess import CompletedProcess

import pytest

from tests.contract.conftest import postgres, postgres_url  # noqa: F401 - fixtures of these tests


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--no-first-run", "--window-size=1400,1800",
                 f"--user-data-dir={tmp_path / 'profile'}"):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    yield driver
    driver.quit()


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Run a command in this process, which has TensorFlow loaded once; else as `run_tuner`."""
    from tuner.cli.main import cli, run_command

    def run(*arguments, cwd):
        monkeypatch.chdir(cwd)
        monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
        capsys.readouterr()
        code = run_command(cli, arguments)
        return CompletedProcess(arguments, code, *capsys.readouterr())

    return run
