"""What the speed benchmarks share: a study prepared once, tuner's own loop, resumable results.

Every figure is a ratio of two contestants that take turns in one run, so that a busy machine slows
both alike. Results are JSON lines, one a measurement; a run that was cut off goes on behind them,
as long as the code is the same.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from code_key import code_key
from json_lines import JsonLines

from tuner.config import Settings, load_settings
from tuner.cores import cores
from tuner.persist import Cache, FolderBlobs
from tuner.pipeline import Pipeline, Prepared
from tuner.records import SearchParts, TrialRecord
from tuner.search import Search
from tuner.service.collect import read_sources, split_sources
from tuner.service.results import Results

QUIET = {
    "training.patience": 99,
    "training.steps_per_epoch_min": 1,
    "pruner.name": "none",
    "sampler.name": "random",
}
"""Every trial runs all its epochs, each once over train, in both contestants: equal work."""


def machine() -> dict[str, Any]:
    """Name the machine and what ran on it."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "processor": model,
        "cores": cores(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "optuna", "scikit-learn")},
    }


class Lines(JsonLines):
    """Measurements made with the code that runs, and their summary."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, code=code_key())

    def sum_up(self, summary: Mapping[str, Any]) -> None:
        """Keep a summary with the machine, unless the same one stands already."""
        if not self.having(**summary):
            self.add({**summary, "machine": machine()})


def in_a_new_process(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function of a script where nothing is loaded or compiled yet."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(function, *arguments, **named).result()


def median(values: Iterable[float]) -> float:
    return round(statistics.median(list(values)), 4)


@dataclass(frozen=True)
class Bench:
    """A study whose data are split and prepared."""

    settings: Settings
    parts: SearchParts
    pipeline: Pipeline
    prepared: Prepared


def open_bench(
    study: str, folder: Path, overrides: Iterable[tuple[str, Any]] = (), data: str | None = None
) -> Bench:
    """Collect, split and prepare; the cache under `folder` serves the next run."""
    named = [("data.path", data)] if data else []
    settings = load_settings(study if not data else None, overrides=[*named, *overrides])
    parts = split_sources(read_sources(settings), settings).parts
    pipeline = Pipeline(parts, Cache(folder / "cache"), processes=cores())
    return Bench(settings, parts, pipeline, pipeline.prepare(settings))


class _Silent:
    def study_started(self, trials: Any) -> None: ...
    def trial_started(self, number: int, params: Any) -> None: ...
    def epoch_finished(self, number: int, epoch: int, value: float) -> None: ...


class TunerLoop:
    """tuner's whole trial: claim, sampler, training, weights and tables written, as in a study."""

    def __init__(self, bench: Bench, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.search = Search(
            bench.settings,
            fingerprint=bench.parts.fingerprint,
            storage_url=f"sqlite:///{folder / 'tuner.db'}",
            study_name=name,
        )
        self._pipeline = bench.pipeline
        self.results = Results(
            folder / name,
            study=name,
            settings=bench.settings,
            parts=bench.parts,
            findings=(),
            storage="sqlite",
            pipeline=bench.pipeline,
            read_trials=self.search.trials,
            blobs=FolderBlobs(folder / name / "blobs"),
        )

    def run_one(self) -> TrialRecord:
        """Run the next trial."""
        finished = self.search.counts()["finished"]
        self.search.run_one(
            self._pipeline.run_trial,
            total=finished + 1,
            progress=_Watcher(self.results),
            stop_requested=lambda: None,
            store=self.results.trial_store,
        )
        return self.search.trials()[-1]


class _Watcher(_Silent):
    def __init__(self, results: Results) -> None:
        self.trial_finished = results.trial_finished
