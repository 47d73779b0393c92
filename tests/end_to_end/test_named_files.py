"""Word lists that settings name: found from any folder, and held on to by their content."""

from __future__ import annotations

from tests.conftest import make_rows, run_tuner, write_csv

LINE = ("--data", "reviews.csv", "--study-name", "s", "--trials", "1",
        "--set", "preprocess.dictionary=terms.txt", "--set", "preprocess.stop_words=zh",
        "--set", "training.epochs=2", "--set", "model.backbone=average")  # fmt: skip


def test_a_dictionary_must_stay_the_same_and_comes_from_the_database_where_it_is_missing(tmp_path):
    home, away = tmp_path / "home", tmp_path / "away"
    for folder in (home, away):
        folder.mkdir()
    write_csv(home / "reviews.csv", make_rows(60))
    terms = home / "terms.txt"
    terms.write_text("前台服务\n", encoding="utf-8")
    (home / "zh").write_text("not the shipped list", encoding="utf-8")
    storage = {"OPTUNA_STORAGE": f"sqlite:///{tmp_path / 'shared.db'}"}

    submitted = run_tuner("submit", *LINE, cwd=home, **storage)
    terms.write_text("前台\n", encoding="utf-8")
    refused = run_tuner("worker", cwd=away, **storage)
    terms.unlink()
    worked = run_tuner("worker", cwd=away, **storage)
    again = run_tuner("replay", "s", "0", cwd=away, **storage)

    assert submitted.returncode == 0, submitted.stderr
    assert refused.returncode == 2
    assert f"the digest of preprocess.dictionary={terms} is " in refused.stderr
    assert worked.returncode == 0, worked.stderr
    assert "this worker has run 1" in worked.stderr
    assert again.returncode == 0, again.stderr
    assert "bit for bit" in again.stdout


def test_a_word_list_that_is_nowhere_is_named(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    terms = tmp_path / "terms.txt"
    terms.write_text("前台服务\n", encoding="utf-8")

    submitted = run_tuner("submit", *LINE, "--blobs", "folder", cwd=tmp_path)
    terms.unlink()
    worked = run_tuner("worker", cwd=tmp_path)

    assert submitted.returncode == 0, submitted.stderr
    assert worked.returncode == 2
    assert f"preprocess.dictionary: no such file: '{terms}', and the study's" in worked.stderr
