"""`tuner check`: what is wrong with a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tuner.cli.options import data_options

__all__ = ["check"]


@click.command()
@data_options
@click.option(
    "--suspects",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Write the rows whose label is doubted as a CSV to review.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def check(
    *, data: str | None, study: str | None, suspects: Path | None, as_json: bool, **options: Any
) -> None:
    """Say what is wrong with a table of labelled texts.

    Rows without text or label, copies, classes too small, labels that are probably wrong, tokens
    that give the label away, given files that differ from the data. Nothing is written but the
    file that --suspects names. What makes a search meaningless ends with exit code 3.

    Example: tuner check --data reviews.csv --text content --label sentiment --suspects doubts.csv
    """
    from tuner.cli.settings_from import settings_from
    from tuner.persist import write_text
    from tuner.service import diagnose_parts, read_sources, split_sources, suspects_csv

    settings = settings_from(data=data, study=study, **options)
    if suspects is not None:
        _refuse_to_overwrite_sources(suspects, settings.data)
    collected = split_sources(read_sources(settings), settings)
    diagnosis = diagnose_parts(collected, settings)
    findings = (*collected.findings, *diagnosis.findings)
    if suspects is not None:
        write_text(suspects, suspects_csv(diagnosis.suspects))
        click.echo(f"{suspects}: {len(diagnosis.suspects):,} rows to review", err=True)
    parts = collected.parts
    rows = {name: len(getattr(parts, name)) for name in ("train", "validation", "selection")}
    rows["test"] = parts.n_test
    if as_json:
        content = {
            "rows": rows,
            "classes": list(parts.classes),
            "fingerprint": parts.fingerprint,
            "findings": [asdict(finding) for finding in findings],
            "suspects": [suspect.as_json() for suspect in diagnosis.suspects],
        }
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    total = sum(rows.values())
    click.echo(
        f"{total:,} usable rows, {len(parts.classes)} classes; "
        + ", ".join(f"{name} {n:,}" for name, n in rows.items())
    )
    if not any(finding.severity == "warning" for finding in findings):
        click.echo("nothing to complain about")
    for finding in findings:
        click.echo(f"{finding.count:>8,}  {finding.message}")
        for example in finding.examples:
            click.echo(f"          {example}")


def _refuse_to_overwrite_sources(target: Path, data: Any) -> None:
    from tuner.errors import ConfigError

    for source in (data.path, data.validation, data.test):
        if (
            source is not None
            and "://" not in source
            and target.resolve() == Path(source).resolve()
        ):
            raise ConfigError(f"--suspects must name a file of its own; {target} is read as data.")
