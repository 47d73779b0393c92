"""`tuner submit`: register a study for workers, and return."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tuner.cli.options import (
    data_options,
    output_option,
    storage_option,
    study_name_option,
    trials_option,
)

__all__ = ["submit"]


@click.command()
@click.argument("folder", metavar="[STUDY]", required=False)
@data_options
@trials_option
@study_name_option
@click.option(
    "--blobs",
    type=click.Choice(["folder", "database"]),
    default="database",
    show_default=True,
    help="Where workers find data and leave weights: the --output folder, or the storage.",
)
@output_option
@storage_option
def submit(
    *,
    folder: str | None,
    data: str | None,
    study: str | None,
    trials: int,
    study_name: str | None,
    blobs: Any,
    output: Path,
    storage: str | None,
    **options: Any,
) -> None:
    """Register a study whose trials `tuner worker` runs, here or elsewhere, and return.

    The data are split now. The sealed test stays here: `tuner optimize` with the same options,
    later, confirms the best trials and opens it.

    Example: tuner submit quickstart --trials 500
    """
    from tuner.cli.logs import log_to_stderr
    from tuner.cli.settings_from import settings_from
    from tuner.errors import ConfigError
    from tuner.service import plan_study, submit_study

    if folder is not None and study is not None:
        raise ConfigError(
            f"--study must be left out where a study is named first; got {folder!r}, {study!r}."
        )
    log_to_stderr(verbose=False, quiet=True)
    settings = settings_from(data=data, study=folder or study, **options)
    plan = plan_study(settings, storage_url=storage, output=output, study_name=study_name)
    counts = submit_study(plan, total=trials, blobs=blobs)
    click.echo(f"study {plan.name}: {_where_it_stands(counts, trials)}.")
    click.echo(f"Follow it with: tuner status --watch {_place(storage, output)}")


def _where_it_stands(counts: Mapping[str, int], trials: int) -> str:
    """Say how many trials there are, and whether workers have any left to begin."""
    finished, running = counts["finished"], counts["running"]
    if finished + running < trials:
        return f"{finished} of {trials} trials are finished; the others are for `tuner worker`"
    return (
        f"{finished} trials are finished and {running} running, where {trials} were asked for; "
        "`tuner worker` has none to begin"
    )


def _place(storage: str | None, output: Path) -> str:
    """Give the option that leads `tuner status` to the same storage."""
    from tuner.search import mask

    source = click.get_current_context().get_parameter_source("storage")
    if storage is not None and source is click.core.ParameterSource.COMMANDLINE:
        return f"--storage {shlex.quote(mask(storage))}"
    return f"--output {shlex.quote(str(output))}"
