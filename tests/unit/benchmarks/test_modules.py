"""The benchmarks that docs/reliability.md names start as modules, from the clone's folder."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT, environment


@pytest.mark.parametrize(
    "name", ["chaos", "dashboard_refresh", "real_kills", "storage_rates", "thousand_workers"]
)
def test_a_benchmark_starts_as_a_module(name):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert f"usage: {name}.py" in done.stdout
