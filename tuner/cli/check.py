"""`tuner check`: what is wrong with a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from tuner.cli.options import data_options

__all__ = ["check"]


@click.command()
@data_options
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def check(*, data: str | None, study: str | None, as_json: bool, **options: Any) -> None:
    """Say what is wrong with a table of labelled texts.

    Nothing is written. What makes a search meaningless ends with exit code 3.

    Example: tuner check --data reviews.csv --text content --label sentiment
    """
    from tuner.cli.settings_from import settings_from
    from tuner.service import read_sources, split_sources

    settings = settings_from(data=data, study=study, **options)
    collected = split_sources(read_sources(settings), settings)
    parts = collected.parts
    rows = {name: len(getattr(parts, name)) for name in ("train", "validation", "selection")}
    rows["test"] = parts.n_test
    if as_json:
        content = {
            "rows": rows,
            "classes": list(parts.classes),
            "fingerprint": parts.fingerprint,
            "findings": [asdict(finding) for finding in collected.findings],
        }
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    total = sum(rows.values())
    click.echo(
        f"{total:,} usable rows, {len(parts.classes)} classes; "
        + ", ".join(f"{name} {n:,}" for name, n in rows.items())
    )
    if not collected.findings:
        click.echo("nothing to complain about")
    for finding in collected.findings:
        click.echo(f"{finding.count:>8,}  {finding.message}")
        for example in finding.examples:
            click.echo(f"          {example}")
