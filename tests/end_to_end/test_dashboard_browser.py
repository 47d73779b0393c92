"""The dashboard in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import SMALL, command, environment, make_rows, run_tuner, write_csv
from tests.end_to_end.browsing import wait_for_text

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    write_csv(folder / "reviews.csv", make_rows(80))
    result = run_tuner("optimize", "--data", "reviews.csv", "--trials", "4", *SMALL,
                       "--study-name", "评论", cwd=folder)  # fmt: skip
    assert result.returncode == 0, result.stderr
    process = subprocess.Popen(
        command("dashboard", "--port", "0"), cwd=folder, stdout=subprocess.PIPE, text=True,
        env=environment(PYTHONUNBUFFERED="1"), encoding="utf-8",
    )  # fmt: skip
    said = process.stdout.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+/dashboard/", said)[0]
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_studies_are_listed_by_name(browser, address, tmp_path):
    browser.get(address)

    wait_for_text(browser, "评论")


def test_study_shows_its_metric_its_note_and_its_trials(browser, address, tmp_path):
    browser.get(f"{address}studies/1")
    wait_for_text(browser, "macro_f1", "评论")
    browser.get(f"{address}studies/1/note")
    wait_for_text(browser, "Sealed test, read once", "tfidf")
    browser.get(f"{address}studies/1/trials?numbers=0")
    wait_for_text(browser, "best_epoch", "seconds", "training.learning_rate")
    browser.save_screenshot(str(tmp_path / "trials.png"))

    assert (tmp_path / "trials.png").stat().st_size > 10_000
