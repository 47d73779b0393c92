"""A best-params JSON as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tuner.metrics import METRICS
from tuner.wording import times

__all__ = ["show_best"]


def show_best(best: Mapping[str, Any]) -> None:
    """Write the best trial, its parameters, and the sealed test beside the baselines."""
    objective = best["objective"]
    click.echo(
        f"best: trial {best['trial']}, {objective['metric']} {objective['value']:.4f} "
        f"on selection ({best['data']['selection']} rows)"
    )
    _show_confirmation(best)
    backbone = best["params"].get("model.backbone", best["config"]["model"]["backbone"])
    unused = best.get("unused_params", ())
    for name, value in best["params"].items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        remark = f" (has no meaning for {backbone})" if name in unused else ""
        click.echo(f"  {name} = {shown}{remark}")
    test = best["test"]
    if test["macro_f1"] is None:
        click.echo("sealed test: not read yet")
        return
    _show_test(best)
    verdict = best.get("verdict")
    if verdict is not None:
        click.echo(verdict["sentence"])
        click.echo(verdict["sentence_zh"])
        for name in ("advice", "advice_zh"):
            if verdict.get(name):
                click.echo(verdict[name])


def _show_test(best: Mapping[str, Any]) -> None:
    """Write the scores on the sealed test, with the interval of the one that was searched for."""
    test, metric = best["test"], best["objective"]["metric"]
    names = dict.fromkeys(("accuracy", "macro_f1", metric))
    width = 2 + max(len(METRICS[name].title) for name in names)
    click.echo(f"sealed test ({test['n']} rows, read {times(test['reads'])}):")
    titles = "".join(f"{METRICS[name].title:>{width}}" for name in names)
    click.echo(f"  {'':<18}{titles}  95 % interval of {METRICS[metric].title}")
    rows = {"best trial": test} | {
        name: scores["test"] for name, scores in best["baselines"].items()
    }
    for row, scores in rows.items():
        interval = scores.get("intervals", {}).get(metric)
        shown = f"{interval['low']:.4f} to {interval['high']:.4f}" if interval else ""
        # A log loss is not defined for a model that gives no probabilities.
        values = "".join(
            f"{'' if scores.get(name) is None else format(scores[name], '.4f'):>{width}}"
            for name in names
        )
        click.echo(f"  {row:<18}{values}  {shown}".rstrip())


def _show_confirmation(best: Mapping[str, Any]) -> None:
    found = best.get("confirmation")
    if found is None:
        return
    interval = found["interval"]
    shown = f", 95 % interval {interval['low']:.4f} to {interval['high']:.4f}" if interval else ""
    several = "" if len(found["values"]) == 1 else "s"
    how = (
        f"fresh seed{several}"
        if found["kind"] == "seeds"
        else f"fold{several} of a cross-validation"
    )
    relation = "above" if found["optimism"] > 0 else "below"
    click.echo(
        f"confirmed: mean {found['mean']:.4f} over {len(found['values'])} {how}{shown}; "
        f"its value in the search was {100 * abs(found['optimism']):.1f} points {relation} that"
        if best["objective"]["direction"] == "maximize"
        else f"confirmed: mean {found['mean']:.4f} over {len(found['values'])} {how}{shown}"
    )
    first = best["search_best"]
    if first["trial"] != best["trial"]:
        lost = {run["trial"]: run["reason"] for run in found.get("lost_runs", ())}
        reason = lost.get(first["trial"])
        worse = "lower" if best["objective"]["direction"] == "maximize" else "higher"
        click.echo(
            f"  (best of the search was trial {first['trial']} with {first['value']:.4f}; "
            + (
                f"its mean was {worse})"
                if reason is None
                else f"it could not be confirmed: {reason})"
            )
        )
