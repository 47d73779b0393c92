from pathlib import Path

import pytest

from tuner.config import ExecutionSettings
from tuner.service.local_workers import LocalWorkers


@pytest.mark.parametrize(
    ("execution", "words"),
    [
        (ExecutionSettings(), []),
        (ExecutionSettings(isolate=True), ["--isolate"]),
        (
            ExecutionSettings(isolate=True, trial_seconds=90.0, trial_memory_gb=2.5),
            ["--isolate", "--trial-seconds", "90.0", "--trial-memory", "2.5"],
        ),
    ],
)
def test_workers_are_told_how_to_run_their_trials(execution, words):
    from tuner.cli.worker import worker

    workers = LocalWorkers(
        1, storage_url="sqlite:///t.db", study_name="s", output=Path("runs"), execution=execution
    )

    told = workers._command[workers._command.index("runs") + 1 :]
    assert told == words
    assert {word for word in told if word.startswith("--")} <= {
        option for parameter in worker.params for option in parameter.opts
    }


@pytest.mark.parametrize(("threads", "n_workers", "each"), [("8", 3, "2"), ("1", 2, "1")])
def test_threads_are_divided_between_workers(monkeypatch, threads, n_workers, each):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)

    workers = LocalWorkers(
        n_workers, storage_url="sqlite:///t.db", study_name="s", output=Path("runs")
    )

    told = workers._environment
    assert (told["TF_NUM_INTRAOP_THREADS"], told["OMP_NUM_THREADS"]) == (each, each)
