"""`tuner status`: the studies of a storage, or the trials of one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tuner.cli.options import default_storage, output_option, storage_option

__all__ = ["status"]


@click.command()
@click.option("--study-name", metavar="NAME", help="Show the trials of this study.")
@output_option
@storage_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status(*, study_name: str | None, output: Path, storage: str | None, as_json: bool) -> None:
    """Show the studies of a storage, or the trials of one.

    Example: tuner status --storage sqlite:///runs/tuner.db
    """
    from tuner.search import list_studies, read_trials, storage_errors

    url = default_storage(storage, output)
    with storage_errors(url):
        if study_name is not None:
            trials = read_trials(url, study_name)
            if as_json:
                click.echo(json.dumps([asdict(trial) for trial in trials], ensure_ascii=False))
                return
            click.echo(f"{'trial':>6}  {'state':<9}{'value':>8}{'epochs':>8}{'seconds':>9}")
            for trial in trials:
                state = "retried" if trial.is_retried else trial.state
                value = "" if trial.value is None else f"{trial.value:.4f}"
                seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
                epochs = len(trial.intermediate)
                click.echo(f"{trial.number:>6}  {state:<9}{value:>8}{epochs:>8}{seconds:>9}")
            return
        studies: list[dict[str, Any]] = list_studies(url)
    if as_json:
        click.echo(json.dumps(studies, ensure_ascii=False))
        return
    if not studies:
        click.echo("the storage has no studies yet")
        return
    width = max(len(study["study"]) for study in studies) + 2
    click.echo(f"{'study':<{width}}{'finished':>9}{'pruned':>8}{'failed':>8}{'running':>9}  best")
    for study in studies:
        best = (
            "none yet"
            if study["best"] is None
            else f"{study['metric']} {study['best']:.4f} (trial {study['best_trial']})"
        )
        click.echo(
            f"{study['study']:<{width}}{study['finished']:>9}{study['pruned']:>8}"
            f"{study['failed']:>8}{study['running']:>9}  {best}"
        )
