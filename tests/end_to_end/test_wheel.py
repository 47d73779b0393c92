"""The installed wheel holds all it needs, the shipped studies too."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT, environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    import shutil

    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("tuner", "studies"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(folder), str(source)],
        check=True, cwd=folder, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("tuner-*.whl"))


def test_every_package_and_shipped_study_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "tuner").rglob("*.py")}
    assert modules <= names
    for name in ("quickstart/study.toml", "quickstart/reviews.csv.gz", "news/study.toml",
                 "news/collect.py", "english/study.toml"):  # fmt: skip
        assert f"tuner/_studies/{name}" in names


def test_shipped_study_is_found_from_the_installed_wheel(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)

    result = subprocess.run(
        [sys.executable, "-m", "tuner", "check", "--study", "frozen_depth"], cwd=tmp_path,
        env=environment(PYTHONPATH=str(site)), text=True, encoding="utf-8", capture_output=True,
        check=False,
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert "1,000 usable rows, 2 classes" in result.stdout
