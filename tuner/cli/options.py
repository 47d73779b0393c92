"""Options that several commands share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tuner.cli.parameter_types import Count, Duration
from tuner.cli.say import say
from tuner.cores import thread_environment
from tuner.masking import has_password

__all__ = [
    "data_options",
    "default_storage",
    "finished_study_option",
    "isolation_flags",
    "isolation_options",
    "output_option",
    "overrides_of",
    "storage_option",
    "storage_wait_option",
    "study_name_option",
    "threads_option",
    "trials_option",
    "watch_options",
]

Function = TypeVar("Function", bound=Callable[..., Any])


_DATA = (
    click.option(
        "--data",
        metavar="PATH|URL",
        help="CSV, TSV, JSON, JSONL, Parquet or Excel file, a folder with one subfolder a "
        "class, a folder made by `tuner collect`, or a SQLAlchemy URL with --query.",
    ),
    click.option("--query", metavar="SQL", help="Query that gives the rows, for a URL."),
    click.option(
        "--text", multiple=True, metavar="COLUMN", help="Text column; several are joined."
    ),
    click.option("--label", metavar="COLUMN", help="Label column."),
    click.option("--validation", metavar="PATH", help="Ready-made validation file."),
    click.option("--test", metavar="PATH", help="Ready-made test file; it is sealed."),
    click.option(
        "--study", metavar="NAME|FOLDER", help="Shipped study or folder with study.toml."
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any setting by its dotted name, such as model.backbone=textcnn; it is not searched "
        "then. 'space.KEY={low=…,high=…}', 'space.KEY={choices=[…]}' (in quotes) or "
        "space.KEY=off changes the space. All of them: docs/settings.md.",
    ),
)

trials_option = click.option(
    "--trials",
    type=Count(),
    default=100,
    show_default=True,
    help="Finished trials the study shall have in the end.",
)
finished_study_option = click.option(
    "--study-name",
    metavar="NAME",
    help="Whose results to read.  [default: the study improved last]",
)
study_name_option = click.option(
    "--study-name",
    metavar="NAME",
    help="Name in the storage.  [default: study and 8 digits of data and settings]",
)
output_option = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Root of all results.",
)


def _warn_of_a_password(
    context: click.Context, parameter: click.Parameter, url: str | None
) -> str | None:
    given = context.get_parameter_source(str(parameter.name))
    if url is not None and given is ParameterSource.COMMANDLINE and has_password(url):
        say(
            "warning: --storage has a password in it, which all users of this machine can read in "
            "the list of processes; put the URL into the environment's OPTUNA_STORAGE, or the "
            "password into PGPASSWORD or ~/.pgpass.",
            level=logging.WARNING,
        )
    return url


storage_option = click.option(
    "--storage",
    envvar="OPTUNA_STORAGE",
    callback=_warn_of_a_password,
    metavar="URL",
    help="sqlite:///FILE or postgresql://USER@HOST/DATABASE; better in the environment's "
    "OPTUNA_STORAGE when it holds a password.  [default: sqlite:///<output>/tuner.db]",
)
storage_wait_option = click.option(
    "--storage-wait",
    type=Duration(),
    default="90s",
    show_default=True,
    help="How long to wait at the start for a database that does not answer.",
)


def _take_threads(_: click.Context, __: click.Parameter, n: int | None) -> None:
    """Set them at once: TensorFlow reads the environment when it is imported."""
    if n is not None:
        os.environ.update(thread_environment(n))


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    expose_value=False,
    callback=_take_threads,
    help="Threads to compute with; the --workers of a command divide them.  [default: all cores]",
)


def _begin_log(_: click.Context, __: click.Parameter, log_format: str) -> str:
    """Let what is said of the other options be JSON too."""
    if log_format == "json":
        from tuner.cli.logs import log_to_stderr

        log_to_stderr(verbose=False, quiet=False, log_format=log_format)
    return log_format


_WATCH = (
    click.option(
        "--log-format",
        is_eager=True,
        callback=_begin_log,
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: one object a line on stderr, and no live view.",
    ),
    click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        help="Serve /metrics for Prometheus and /healthz on this port; 0 takes a free one.",
    ),
    click.option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        help="Address that --metrics-port listens on.",
    ),
)


_ISOLATION = (
    click.option(
        "--isolate",
        is_flag=True,
        help="Run trials in a guarded child process, whose death does not end the study.",
    ),
    click.option(
        "--trial-seconds",
        type=Duration(),
        help="With --isolate: a trial that takes longer has failed (90, 30m, 2h).",
    ),
    click.option(
        "--trial-memory",
        type=click.FloatRange(min=0.0, min_open=True),
        metavar="GB",
        help="With --isolate: a trial whose process takes more memory is ended, in 10^9 bytes.",
    ),
)


def isolation_options(function: Function) -> Function:
    """Add the options by which trials are guarded; see `isolation_flags`."""
    for option in reversed(_ISOLATION):
        function = option(function)
    return function


def isolation_flags(
    *, isolate: bool, trial_seconds: float | None, trial_memory: float | None
) -> dict[str, Any]:
    """Give the settings that these options stand for; None where an option was not given."""
    return {
        "execution.isolate": isolate or None,
        "execution.trial_seconds": trial_seconds,
        "execution.trial_memory_gb": trial_memory,
    }


def watch_options(function: Function) -> Function:
    """Add the options by which a long run is watched: its log's format, its metrics."""
    for option in reversed(_WATCH):
        function = option(function)
    return function


def data_options(function: Function) -> Function:
    """Add the options that name data, study and settings."""
    for option in reversed(_DATA):
        function = option(function)
    return function


def overrides_of(
    *,
    data: str | None,
    query: str | None,
    text: tuple[str, ...],
    label: str | None,
    validation: str | None,
    test: str | None,
    assignments: tuple[str, ...],
    flags: dict[str, Any] | None = None,
) -> list[tuple[str, Any]]:
    """Turn options into overrides of settings; `--set` comes last and so wins."""
    from tuner.config.loading import parse_override

    named = {
        "data.path": data,
        "data.query": query,
        "data.text": list(text) or None,
        "data.label": label,
        "data.validation": validation,
        "data.test": test,
        **(flags or {}),
    }
    given = [(key, value) for key, value in named.items() if value is not None]
    return given + [parse_override(assignment) for assignment in assignments]


def default_storage(storage: str | None, output: Path) -> str:
    """Give the storage's URL."""
    from tuner.search import default_url

    return default_url(output) if storage is None else storage
