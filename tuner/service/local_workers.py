"""Worker processes on this machine, started, watched and stopped by the process of the study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tuner.config import ExecutionSettings
from tuner.cores import thread_environment, threads
from tuner.errors import ConfigError, DataError, TunerError
from tuner.persist import disk_errors
from tuner.service.failures_in_a_row import FailuresInARow

__all__ = ["PARENT_VARIABLE", "LocalWorkers"]

PARENT_VARIABLE = "TUNER_PARENT"
"""Environment variable with the pid of the process without which a worker ends itself."""

# Who was told to stop has 10 s in all, and writes down where it stands besides.
_STOP_SECONDS = 7.0
_ERRORS: dict[int, type[TunerError]] = {2: ConfigError, 3: DataError}


class LocalWorkers:
    """N processes of `tuner worker` on one study; they end with the body that entered them.

    The storage's URL reaches them by the environment alone. The threads of this machine are
    divided between them.

    Parameters
    ----------
    n
        Processes.
    storage_url, study_name, output
        As `run_worker` takes them.
    execution
        How they run their trials; None for in their own processes.
    """

    def __init__(
        self,
        n: int,
        *,
        storage_url: str,
        study_name: str,
        output: Path,
        execution: ExecutionSettings | None = None,
    ) -> None:
        self._command = [
            *(sys.executable, "-m", "tuner", "worker", "--study-name", study_name),
            *("--output", str(output), *_words(execution)),
        ]
        self._environment = {
            **os.environ,
            "OPTUNA_STORAGE": storage_url,
            PARENT_VARIABLE: str(os.getpid()),
            **thread_environment(max(1, threads() // n)),
        }
        self._logs = output / study_name / "logs"
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * n
        self._failures = FailuresInARow(n)

    def __enter__(self) -> LocalWorkers:
        with disk_errors(self._logs):
            self._logs.mkdir(parents=True, exist_ok=True)
        try:
            for place in range(len(self._processes)):
                self._start(place)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def trial_finished(self) -> None:
        """Hear that the study gets on, so that failures are not in a row."""
        self._failures.trial_finished()

    def tend(self) -> None:
        """Start those again that have died.

        Raises
        ------
        ConfigError, DataError
            If a worker refused the study; its own words.
        StorageError
            If workers fail five times each without a trial in between.
        """
        for place, process in enumerate(self._processes):
            if process is None or (code := process.poll()) is None:
                continue
            if code in _ERRORS:
                raise _ERRORS[code](f"a worker refused the study: {self._last_words(place)}")
            if code != 0:
                self._failures.add(place, f"ended with {code}: {self._last_words(place)}")
            self._start(place)

    def stop(self) -> None:
        """Ask all to hand back their trials and end; who does not within 7 s is killed."""
        running = [p for p in self._processes if p is not None and p.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, place: int) -> None:
        with self._log_file(place).open("ab") as log:
            self._processes[place] = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _log_file(self, place: int) -> Path:
        return self._logs / f"worker-{os.getpid()}-{place}.log"

    def _last_words(self, place: int) -> str:
        text = self._log_file(place).read_text(encoding="utf-8", errors="replace").strip()
        return text.rsplit("\n", 1)[-1].removeprefix("error: ")[-500:]


def _words(execution: ExecutionSettings | None) -> list[str]:
    """Give the words of `tuner worker` that say how trials are run."""
    if execution is None or not execution.isolate:
        return []
    words = ["--isolate"]
    if execution.trial_seconds is not None:
        words += ["--trial-seconds", str(execution.trial_seconds)]
    if execution.trial_memory_gb is not None:
        words += ["--trial-memory", str(execution.trial_memory_gb)]
    return words
