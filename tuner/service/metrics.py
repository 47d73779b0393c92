"""Prometheus metrics of one process: trials, stages, caches, beats and storage retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuner import __version__
from tuner.counters import CACHE_FOUND, CACHE_MADE, HEARTBEATS, STORAGE_RETRIES, counted
from tuner.records import StopRequested, TrialRecord

__all__ = ["HUNG_AFTER_SECONDS", "Metrics"]

HUNG_AFTER_SECONDS = 600.0
"""A loop that has not looked for a signal for so long hangs.

It looks every few seconds; a first compilation, or a database that is away, takes minutes.
"""

_TRIAL_SECONDS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)


class Metrics:
    """What one process has done so far.

    Parameters
    ----------
    clock
        In seconds; only differences count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen_alive: float | None = None
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Info("tuner_build", "Version of tuner.", registry=self.registry).info(
            {"version": __version__}
        )
        self._trials = Counter(
            "tuner_trials",
            "Trials that this process has ended, by state: complete, pruned, failed, retried.",
            ["study", "state"],
            registry=self.registry,
        )
        self._running = Gauge(
            "tuner_trials_running",
            "Trials that this process runs now.",
            ["study"],
            registry=self.registry,
        )
        self._epochs = Counter(
            "tuner_epochs", "Epochs committed.", ["study"], registry=self.registry
        )
        self._confirmation_runs = Counter(
            "tuner_confirmation_runs",
            "Runs of the confirmation that this process has ended.",
            ["study"],
            registry=self.registry,
        )
        self._trial_seconds = Histogram(
            "tuner_trial_seconds",
            "Wall-clock time of finished trials.",
            ["study"],
            buckets=_TRIAL_SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Counter(
            "tuner_stage_seconds",
            "Wall-clock time of trials, however they ended, by stage.",
            ["study", "stage"],
            registry=self.registry,
        )
        self._best = Gauge(
            "tuner_best_value",
            "Best objective among the trials this process has seen.",
            ["study", "direction"],
            registry=self.registry,
        )
        self.registry.register(_Counted(self))

    def watching(self, study: str, direction: str) -> StudyMetrics:
        """Give the watcher of one study, see `tuner.records.StudyProgress`."""
        return StudyMetrics(self, study, direction)

    def alive(self, stop_requested: StopRequested) -> StopRequested:
        """Give a check for signals that also notes that the loop goes on."""

        def check() -> None:
            self._seen_alive = self._clock()
            stop_requested()

        return check

    @property
    def seconds_since_alive(self) -> float:
        """How long ago the loop last looked for a signal; 0 until it has begun."""
        return 0.0 if self._seen_alive is None else self._clock() - self._seen_alive

    @property
    def is_healthy(self) -> bool:
        """Whether the loop goes on."""
        return self.seconds_since_alive < HUNG_AFTER_SECONDS


class StudyMetrics:
    """Watches one study for `Metrics`."""

    def __init__(self, metrics: Metrics, study: str, direction: str) -> None:
        self._metrics = metrics
        self._study = study
        self._best: float | None = None
        self._direction = direction
        self._running: set[int] = set()

    def ending_estimated(self, seconds: float) -> None:
        """Nothing to count."""

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the best value; trials that others ended are theirs to count."""
        for state in ("complete", "pruned", "failed", "retried"):
            self._metrics._trials.labels(self._study, state)  # so that a rate begins at 0
        self._metrics._epochs.labels(self._study)
        self._metrics._running.labels(self._study)
        for trial in trials:
            self._take_best(trial)

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Note that one more runs: with workers there are several."""
        self._running.add(number)
        self._metrics._running.labels(self._study).set(len(self._running))

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Count an epoch."""
        self._metrics._epochs.labels(self._study).inc()

    def trial_finished(self, trial: TrialRecord) -> None:
        """Count a trial, its time and that of its stages."""
        metrics, study = self._metrics, self._study
        self._running.discard(trial.number)
        metrics._running.labels(study).set(len(self._running))
        metrics._trials.labels(study, "retried" if trial.is_retried else trial.state).inc()
        if trial.seconds is not None and trial.state in ("complete", "pruned"):
            metrics._trial_seconds.labels(study).observe(trial.seconds)
        for stage, seconds in dict(trial.attributes.get("seconds") or {}).items():
            metrics._stage_seconds.labels(study, stage).inc(seconds)
        self._take_best(trial)

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Begin to count its runs."""
        self._metrics._confirmation_runs.labels(self._study)

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Count a run, unless an earlier process has."""
        if seconds is not None:
            self._metrics._confirmation_runs.labels(self._study).inc()

    def _take_best(self, trial: TrialRecord) -> None:
        if trial.state != "complete" or trial.value is None:
            return
        better = max if self._direction == "maximize" else min
        self._best = trial.value if self._best is None else better(self._best, trial.value)
        self._metrics._best.labels(self._study, self._direction).set(self._best)


class _Counted(Collector):
    """Reads what the stages have counted, when it is asked."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        for name, help_text, event in (
            ("tuner_heartbeats", "Beats written to the storage.", HEARTBEATS),
            (
                "tuner_storage_retries",
                "Operations tried again because the storage did not answer.",
                STORAGE_RETRIES,
            ),
        ):
            yield CounterMetricFamily(name, help_text, value=sum(counted(event).values()))
        cache = CounterMetricFamily(
            "tuner_cache_requests",
            "Entries asked of the cache, found there or made.",
            labels=["stage", "result"],
        )
        for result, event in (("found", CACHE_FOUND), ("made", CACHE_MADE)):
            for stage, number in counted(event).items():
                cache.add_metric([stage, result], number)
        yield cache
        yield GaugeMetricFamily(
            "tuner_loop_age_seconds",
            "Time since the loop last looked for a signal; it hangs when this grows.",
            value=self._metrics.seconds_since_alive,
        )
