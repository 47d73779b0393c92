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
