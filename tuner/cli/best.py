"""`tuner best`: the best trial of a study."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tuner.cli.options import finished_study_option, output_option

__all__ = ["best"]


@click.command()
@finished_study_option
@output_option
@click.option("--json", "as_json", is_flag=True, help="The whole best_params.json on stdout.")
def best(*, study_name: str | None, output: Path, as_json: bool) -> None:
    """Show the best trial of a study.

    Example: tuner best --json | jq .params
    """
    from tuner.cli.run_folder import find_run, read_best_params
    from tuner.cli.summary import show_best

    folder = find_run(output, study_name)
    content = read_best_params(folder)
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    click.echo(f"study {content['study']} ({content['outcome']})")
    show_best(content)
    click.echo(f"model: {folder / 'best_model'}")
