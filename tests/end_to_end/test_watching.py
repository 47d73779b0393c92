"""A run that is watched: metrics while it goes on, and a log that a machine reads."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request

from tests.conftest import SMALL, command, environment, make_rows, write_csv


def read(address):
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def test_run_shows_metrics_and_health_and_logs_nothing_but_json(tmp_path):
    write_csv(tmp_path / "reviews.csv", make_rows(60))
    process = subprocess.Popen(
        command("optimize", "--data", "reviews.csv", "--trials", "4000", *SMALL,
                "--log-format", "json", "--metrics-port", "0", "--study-name", "s"),
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        lines = [json.loads(process.stderr.readline())]
        address = re.search(r"http://127\.0\.0\.1:\d+", lines[0]["message"])[0]
        finished = 0.0
        end = time.monotonic() + 240
        while not finished and time.monotonic() < end:
            assert process.poll() is None
            samples = read(f"{address}/metrics").splitlines()
            finished = sum(
                float(sample.split()[-1])
                for sample in samples
                if sample.startswith("tuner_trials_total") and 'state="complete"' in sample
            )
            time.sleep(0.2)
        assert json.loads(read(f"{address}/healthz"))["status"] == "ok"
        trained = 'tuner_stage_seconds_total{stage="train",study="s"}'
        assert any(s.startswith(trained) for s in samples)
        process.terminate()
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    lines += [json.loads(line) for line in rest.splitlines()]

    assert process.returncode == 143
    events = [line for line in lines if line.get("event") == "trial finished"]
    assert events[0]["trial"] == 0
    assert events[0]["state"] == "complete"
    assert 0 <= events[0]["value"] <= 1
    assert {"time", "level", "logger", "message", "host", "pid"} <= {*events[0]}
    assert "stopped" in lines[-1]["message"]


def test_error_is_a_json_line_too(tmp_path):
    result = subprocess.run(
        command("optimize", "--data", "none.csv", "--label", "l", "--text", "t", "--log-format",
                "json"),
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert result.returncode == 3
    (line,) = [json.loads(line) for line in result.stderr.splitlines()]
    assert line["level"] == "ERROR"
    assert "none.csv" in line["message"]
