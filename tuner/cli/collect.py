"""`tuner collect`: split a table once, for any number of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tuner.cli.options import data_options

__all__ = ["collect"]


@click.command()
@data_options
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write; `--data FOLDER` then uses its split.",
)
def collect(*, data: str | None, study: str | None, output: Path, **options: Any) -> None:
    """Split a table into train, validation, selection and sealed test.

    Writes data/*.jsonl, sealed/test.jsonl and data/manifest.json (origin, rows, digest).

    Example: tuner collect --data reviews.csv --text content --label sentiment --output parts
    """
    from tuner.cli.findings import show_findings
    from tuner.cli.settings_from import settings_from
    from tuner.errors import ConfigError
    from tuner.persist import open_manifest
    from tuner.service import read_sources, split_sources, store_parts

    settings = settings_from(data=data, study=study, **options)
    if open_manifest(output) is not None:
        raise ConfigError(f"--output must be a folder without a split; {output} has one already.")
    collected = split_sources(read_sources(settings), settings)
    show_findings(collected.findings)
    store_parts(output, collected, settings)
    parts = collected.parts
    click.echo(
        f"{output}: train {len(parts.train)}, validation {len(parts.validation)}, "
        f"selection {len(parts.selection)}, sealed test {parts.n_test}; "
        f"{len(parts.classes)} classes, fingerprint {parts.fingerprint[:12]}"
    )
