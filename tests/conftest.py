"""Shared data and helpers: small tables, a fake trainer, the real command as a process."""

from __future__ import annotations

import csv
import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

GOOD = ["很好", "满意", "喜欢", "推荐", "干净", "舒服", "实惠", "惊喜"]
BAD = ["很差", "失望", "难看", "后悔", "肮脏", "吵闹", "昂贵", "糟糕"]
MORE_GOOD = ["温馨", "划算", "贴心", "安静", "完美", "漂亮", "值得", "方便"]
MORE_BAD = ["潮湿", "敷衍", "漏水", "陈旧", "上当", "恶心", "破损", "缓慢"]
NEUTRAL = ["房间", "服务", "早餐", "位置", "前台", "价格", "电视", "楼下", "周末", "朋友", "孩子"]


def make_rows(n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Reviews whose words tell the label, each different."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        label = ["正面", "负面"][number % 2]
        words = generator.sample(NEUTRAL, 4) + generator.sample(
            GOOD if number % 2 == 0 else BAD, 2
        )
        generator.shuffle(words)
        rows.append(("".join(words) + str(number), label))
    return rows


def rich_rows(n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Reviews of so many words that none stands in a fifth of its class, as in real ones."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        good = number % 2 == 0
        words = generator.sample(NEUTRAL, 4)
        words += generator.sample([*GOOD, *MORE_GOOD] if good else [*BAD, *MORE_BAD], 2)
        generator.shuffle(words)
        rows.append(("".join(words) + str(number), "正面" if good else "负面"))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return path


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that runs in the tests' own process sets the log up; the next one has its own."""
    logger, root = logging.getLogger("tuner"), logging.getLogger()
    before = list(logger.handlers), logger.level, logger.propagate
    of_libraries = list(root.handlers)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = of_libraries
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 60 labelled reviews."""
    return write_csv(tmp_path / "reviews.csv", make_rows(60))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a storage that is not there yet."""
    return f"sqlite:///{tmp_path / 'study.db'}"


SMALL = ("--confirm", "none", "--set", "training.steps_per_epoch_min=10", "--epochs", "4",
         "--fine-tune-epochs", "1", "--set", "model.embedding_width=8",
         "--set", "training.batch_size=16", "--set", "pruner.name=none",
         "--set", "space.training.learning_rate={low=0.005,high=0.05,log=true}")  # fmt: skip


def command(*arguments: str, module: str = "tuner") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def environment(**extra: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k != "OPTUNA_STORAGE"}
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | extra


def run_tuner(
    *arguments: str, cwd: Path, module: str = "tuner", timeout: int = 300, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the real command to its end."""
    return subprocess.run(
        command(*arguments, module=module), cwd=cwd, env=environment(**extra), text=True,
        capture_output=True, timeout=timeout, encoding="utf-8", check=False,
    )  # fmt: skip
