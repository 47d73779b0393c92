"""The login, the roles and the artifacts in a real browser."""

from __future__ import annotations

import re
import subprocess

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact

from tests.conftest import command, environment
from tests.end_to_end.browsing import wait_for_text
from tuner.service.door import add_user

pytestmark = pytest.mark.browser

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a dashboard with two users, and the artifact in its study."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "runs").mkdir()
    url = f"sqlite:///{folder / 'runs' / 'tuner.db'}"
    study = optuna.create_study(storage=url, study_name="评论", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    (folder / "files").mkdir()
    (folder / "page.html").write_text(
        "<title>safe</title><script>document.title='owned'</script>", "utf-8"
    )
    artifact = upload_artifact(
        artifact_store=FileSystemArtifactStore(folder / "files"),
        file_path=str(folder / "page.html"),
        study_or_trial=study,
    )
    add_user(folder / "users", "ann", PASSWORD, "writer")
    add_user(folder / "users", "bob", PASSWORD, "reader")
    process = subprocess.Popen(
        command("dashboard", "--port", "0", "--users", "users", "--artifacts", "files"),
        cwd=folder, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env=environment(PYTHONUNBUFFERED="1"),
    )  # fmt: skip
    said = process.stdout.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+", said)[0], artifact
    process.terminate()
    process.wait(20)
    process.stdout.close()


def log_in(browser, address, name):
    from selenium.webdriver.common.by import By

    browser.get(f"{address}/dashboard/studies/1/note")
    browser.find_element(By.NAME, "name").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.TAG_NAME, "button").click()


def ask(browser, method, path, body=""):
    """The status that a script of the page gets."""
    return browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "fetch(arguments[1], {method: arguments[0], body: arguments[2] || undefined,"
        " headers: {'Content-Type': 'application/json'}}).then(r => done(r.status));",
        method, path, body,
    )  # fmt: skip


def test_login_leads_to_the_page_that_was_asked_for_and_the_badge_leads_out(browser, served):
    from selenium.webdriver.common.by import By

    address, _ = served
    log_in(browser, address, "bob")
    wait_for_text(browser, "评论", "bob · reader")
    assert browser.current_url == f"{address}/dashboard/studies/1/note"
    assert "__Host-tuner" not in browser.execute_script("return document.cookie")

    browser.find_element(By.XPATH, "//button[text()='Log out']").click()
    wait_for_text(browser, "Log in")
    browser.get(f"{address}/dashboard/")
    assert browser.current_url.startswith(f"{address}/login")


def test_wrong_password_stays_outside(browser, served):
    from selenium.webdriver.common.by import By

    address, _ = served
    browser.get(f"{address}/dashboard/")
    browser.find_element(By.NAME, "name").send_keys("bob")
    browser.find_element(By.NAME, "password").send_keys("guessed")
    browser.find_element(By.TAG_NAME, "button").click()

    wait_for_text(browser, "Wrong name, password or token.")


def test_reader_reads_and_writer_writes(browser, served):
    address, _ = served
    note = '{"body": "seen", "version": 1}'
    log_in(browser, address, "bob")
    wait_for_text(browser, "评论")
    assert ask(browser, "GET", "/api/studies/1") == 200
    assert ask(browser, "PUT", "/api/studies/1/note", note) == 403
    assert ask(browser, "DELETE", "/api/studies/1") == 403

    browser.delete_all_cookies()
    log_in(browser, address, "ann")
    wait_for_text(browser, "评论", "ann · writer")
    assert ask(browser, "PUT", "/api/studies/1/note", note) == 204


def test_page_of_another_site_reaches_nothing(browser, served, tmp_path):
    address, _ = served
    log_in(browser, address, "ann")
    wait_for_text(browser, "评论")
    (tmp_path / "evil.html").write_text(
        f"<form method='post' action='{address}/api/studies/1/rename' enctype='text/plain'>"
        "<input name='{\"study_name\":\"' value='owned\"}'></form>"
        "<script>document.forms[0].submit()</script>",
        "utf-8",
    )
    browser.get(f"file://{tmp_path / 'evil.html'}")
    wait_for_text(browser, "only its own pages may ask this")
    browser.get(f"{address}/dashboard/")
    wait_for_text(browser, "评论")


def test_artifact_runs_no_script(browser, served):
    address, artifact = served
    log_in(browser, address, "ann")
    wait_for_text(browser, "评论")
    before = browser.current_url

    browser.get(f"{address}/artifacts/1/{artifact}")

    # A download: the browser stays where it was.
    assert browser.current_url == before
    assert browser.title != "owned"
