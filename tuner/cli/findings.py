"""What a check found, as a short table."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tuner.records import Finding

__all__ = ["show_findings"]


def show_findings(findings: Sequence[Finding], *, examples: int = 1) -> None:
    """Write findings on stderr, each with its first examples."""
    for finding in findings:
        click.echo(f"  {finding.count:>8,}  {finding.message}", err=True)
        for example in finding.examples[:examples]:
            click.echo(f"            e.g. {example}", err=True)
