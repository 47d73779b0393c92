"""`tuner worker`: join a study from any machine that reaches its storage."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.options import (
    default_storage,
    isolation_flags,
    isolation_options,
    output_option,
    storage_option,
    storage_wait_option,
    threads_option,
    watch_options,
)

if TYPE_CHECKING:
    from tuner.cli.progress import LineView
    from tuner.records import Progress
    from tuner.search import Search, StudyTerms

__all__ = ["worker"]


@click.command()
@storage_option
@storage_wait_option
@click.option(
    "--study-name",
    metavar="NAME",
    help="Serve this study.  [default: all that need trials, one trial each in turn]",
)
@click.option(
    "--wait", "waits", is_flag=True, help="Stay when no study needs trials, and look for new ones."
)
@output_option
@threads_option
@isolation_options
@watch_options
@click.option("--quiet", "-q", is_flag=True, help="Warnings only.")
@click.option("--verbose", "-v", is_flag=True, help="Every epoch, and tracebacks.")
def worker(
    *,
    storage: str | None,
    storage_wait: float,
    study_name: str | None,
    waits: bool,
    output: Path,
    isolate: bool,
    trial_seconds: float | None,
    trial_memory: float | None,
    log_format: str,
    metrics_port: int | None,
    metrics_host: str,
    quiet: bool,
    verbose: bool,
) -> None:
    """Run trials of studies that are there; settings and data come from their storage.

    A study that was started with --blobs database needs nothing but the storage; any other one
    needs the --output folder it was started with, on a shared disk.

    Example: tuner worker --storage postgresql://tuner@db.example/tuner
    """
    from tuner.cli.logs import log_to_stderr
    from tuner.cli.say import say
    from tuner.cli.signals import Signals
    from tuner.cli.watching import alive, watched, watchers
    from tuner.config import load_settings
    from tuner.service import run_worker

    limits = isolation_flags(
        isolate=isolate, trial_seconds=trial_seconds, trial_memory=trial_memory
    )
    given = [(name, value) for name, value in limits.items() if value is not None]
    execution = load_settings(overrides=given).execution
    log_to_stderr(verbose=verbose, quiet=quiet, log_format=log_format)
    with Signals() as signals, ExitStack() as watching:
        metrics = None
        if metrics_port is not None:
            metrics = watching.enter_context(watched(metrics_host, metrics_port))

        def view(name: str, terms: StudyTerms, search: Search) -> Progress:
            found = watchers(_view(name, terms, search), metrics, name, search.settings.direction)
            found.study_started(search.trials())
            return found

        stop_requested = _ending_with_parent(signals.stop_requested)
        n_run = run_worker(
            default_storage(storage, output),
            study_name=study_name,
            output=output,
            progress=view,
            stop_requested=alive(metrics, stop_requested),
            waits=waits,
            storage_wait_seconds=storage_wait,
            execution=execution,
        )
    if not quiet:
        say(f"no study needs more trials; this worker has run {n_run}")


def _view(name: str, terms: StudyTerms, search: Search) -> LineView:
    from tuner.cli.tally import Tally
    from tuner.cli.worker_view import WorkerView

    settings = search.settings
    return WorkerView(
        Tally(terms.total, settings.study.metric, settings.direction),
        study=name,
        read_trials=search.trials,
        read_total=lambda: (search.terms() or terms).total,
    )


def _ending_with_parent(stop_requested: Callable[[], None]) -> Callable[[], None]:
    """Stop as if told to when the process that started this worker is gone."""
    import signal

    from tuner.errors import Interrupted
    from tuner.service import PARENT_VARIABLE

    parent = os.environ.get(PARENT_VARIABLE)

    def check() -> None:
        stop_requested()
        if parent is not None and parent != str(os.getppid()):
            raise Interrupted(signal.SIGTERM)

    return check
