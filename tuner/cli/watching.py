"""Metrics for a long run, where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuner.cli.say import say
from tuner.records import StopRequested, StudyProgress

if TYPE_CHECKING:
    from tuner.service.metrics import Metrics

__all__ = ["alive", "watched", "watchers"]


@contextmanager
def watched(host: str, port: int) -> Iterator[Metrics]:
    """Serve metrics while entered, and say where."""
    from tuner.service.metrics import Metrics
    from tuner.service.metrics_server import serve_metrics

    metrics = Metrics()
    with serve_metrics(metrics, host=host, port=port) as taken:
        shown = f"[{host}]" if ":" in host else host
        say(f"metrics: http://{shown}:{taken}/metrics")
        yield metrics


def watchers(
    view: StudyProgress, metrics: Metrics | None, study: str, direction: str
) -> StudyProgress:
    """Give the view, with the metrics beside it."""
    from tuner.service.watchers import StudyWatchers

    return view if metrics is None else StudyWatchers(view, metrics.watching(study, direction))


def alive(metrics: Metrics | None, stop_requested: StopRequested) -> StopRequested:
    """Give the check for signals, noting for the metrics that the loop goes on."""
    return stop_requested if metrics is None else metrics.alive(stop_requested)
