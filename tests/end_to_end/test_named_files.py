"""Word lists that settings name: found from any folder, and held on to by their content."""

from __future__ import annotations

from tests.conftest import make_rows, run_tuner, write_csv

LINE = ("--data", "reviews.csv", "--study-name", "s", "--trials", "1",
        "--set", "preprocess.dictionary=terms.txt", "--set", "preprocess.stop_words=zh",
        "--set", "training.epochs=2", "--set", "model.backbone=average")  # fmt: skip


def test_a_dictionary_is_found_from_another_folder_and_must_stay_the_same(tmp_path):
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
    missing = run_tuner("worker", cwd=away, **storage)
    terms.write_text("前台服务\n", encoding="utf-8")
    worked = run_tuner("worker", cwd=away, **storage)

    assert submitted.returncode == 0, submitted.stderr
    assert refused.returncode == 2
    assert f"the digest of preprocess.dictionary={terms} is " in refused.stderr
    assert missing.returncode == 2
    assert f"preprocess.dictionary: no such file: '{terms}'." in missing.stderr
    assert worked.returncode == 0, worked.stderr
    assert "this worker has run 1" in worked.stderr
