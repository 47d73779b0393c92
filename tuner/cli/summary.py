"""A best-params JSON as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

__all__ = ["show_best"]


def show_best(best: Mapping[str, Any]) -> None:
    """Write the best trial, its parameters, and the sealed test beside the baselines."""
    objective = best["objective"]
    click.echo(
        f"best: trial {best['trial']}, {objective['metric']} {objective['value']:.4f} "
        f"on selection ({best['data']['selection']} rows)"
    )
    for name, value in best["params"].items():
        click.echo(
            f"  {name} = {value:.4g}" if isinstance(value, float) else f"  {name} = {value}"
        )
    test = best["test"]
    if test["macro_f1"] is None:
        click.echo("sealed test: not read yet")
        return
    click.echo(f"sealed test ({test['n']} rows, read {test['reads']} time(s)):")
    click.echo(f"  {'':<24}{'accuracy':>9}{'macro-F1':>10}")
    rows = {"best trial": test} | {
        name: scores["test"] for name, scores in best["baselines"].items()
    }
    for name, scores in rows.items():
        click.echo(f"  {name:<24}{scores['accuracy']:>9.4f}{scores['macro_f1']:>10.4f}")
