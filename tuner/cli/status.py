"""`tuner status`: the studies of a storage, or the trials of one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tuner.cli.options import default_storage, output_option, storage_option
from tuner.cli.tally import duration
from tuner.records import TrialRecord

__all__ = ["status"]

_WATCH_SECONDS = 2.0


@click.command()
@click.option("--study-name", metavar="NAME", help="Show the trials of this study.")
@output_option
@storage_option
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status(
    *, study_name: str | None, output: Path, storage: str | None, watch: bool, as_json: bool
) -> None:
    """Show the studies of a storage with their workers, or the trials of one.

    Example: tuner status --storage sqlite:///runs/tuner.db
    """
    from tuner.cli.signals import interrupting_signals

    url = default_storage(storage, output)
    shown = _shown(url, study_name, as_json=as_json)
    if not watch:
        click.echo(shown)
        return
    with interrupting_signals():
        while True:
            click.clear()
            click.echo(shown)
            time.sleep(_WATCH_SECONDS)
            shown = _shown_again(url, study_name, as_json=as_json)


def _shown_again(url: str, study_name: str | None, *, as_json: bool) -> str:
    """Give what is shown; who watches through the night goes on when the storage is back."""
    from tuner.errors import StorageError

    try:
        return _shown(url, study_name, as_json=as_json)
    except StorageError as error:
        return json.dumps({"error": str(error)}) if as_json else str(error)


def _shown(url: str, study_name: str | None, *, as_json: bool) -> str:
    from tuner.search import list_studies, read_trials

    if study_name is not None:
        trials = read_trials(url, study_name)
        if as_json:
            return json.dumps([asdict(trial) for trial in trials], ensure_ascii=False)
        return "\n".join(_trial_lines(trials))
    studies: list[dict[str, Any]] = list_studies(url)
    if as_json:
        return json.dumps(studies, ensure_ascii=False)
    if not studies:
        return "the storage has no studies yet"
    lines = [*_study_lines(studies), *_end_lines(studies), *_set_aside_lines(studies)]
    return "\n".join([*lines, *_worker_lines(studies)])


def _trial_lines(trials: Sequence[TrialRecord]) -> Iterator[str]:
    yield f"{'trial':>6}  {'state':<9}{'value':>8}{'epochs':>8}{'seconds':>9}"
    for trial in trials:
        state = _state(trial)
        value = "" if trial.value is None else f"{trial.value:.4f}"
        seconds = "" if trial.seconds is None else f"{trial.seconds:.1f}"
        epochs = len(trial.intermediate)
        yield f"{trial.number:>6}  {state:<9}{value:>8}{epochs:>8}{seconds:>9}"


def _state(trial: TrialRecord) -> str:
    if trial.is_set_aside:
        return "aside"
    return "retried" if trial.is_retried else trial.state


def _study_lines(studies: Sequence[dict[str, Any]]) -> Iterator[str]:
    width = max(len(study["study"]) for study in studies) + 2
    yield (
        f"{'study':<{width}}{'finished':>10}{'pruned':>8}{'failed':>8}{'running':>9}"
        f"{'per hour':>10}{'left':>9}  best"
    )
    for study in studies:
        best = (
            "none yet"
            if study["best"] is None
            else f"{study['metric']} {study['best']:.4f} (trial {study['best_trial']})"
        )
        total = study["total"]
        finished = str(study["finished"]) if total is None else f"{study['finished']}/{total}"
        rate = "" if study["trials_per_hour"] is None else f"{study['trials_per_hour']:.0f}"
        yield (
            f"{study['study']:<{width}}{finished:>10}{study['pruned']:>8}{study['failed']:>8}"
            f"{study['running']:>9}{rate:>10}{_left(study):>9}  {best}"
        )


def _set_aside_lines(studies: Sequence[dict[str, Any]]) -> Iterator[str]:
    for study in studies:
        for aside in study["set_aside"]:
            yield f"{study['study']}: trial {aside['trial']} is {aside['reason']}"


def _left(study: dict[str, Any]) -> str:
    """Give the time left of search and end; "+" where that of the end is not known."""
    search, end = study["seconds_left"], study["seconds_left_at_end"]
    # A rate says nothing about a study that nobody works on.
    if search is None or not study["workers"]:
        return ""
    return duration(search + (end or 0)) + (" +" if end is None else "")


def _end_lines(studies: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what nobody but `tuner optimize` does, where that is still to come."""
    if any(_left(study).endswith("+") for study in studies):
        yield "+: of the search alone; `tuner optimize` then confirms and opens the sealed test"
    for study in studies:
        total = study["total"]
        is_searched = total is not None and (study["finished"] >= total or study["closed"])
        if is_searched and study["complete"] and not (study["running"] or study["is_concluded"]):
            yield (
                f"{study['study']}: the search is over; `tuner optimize` confirms its best trials "
                "and opens the sealed test"
            )


def _worker_lines(studies: Sequence[dict[str, Any]]) -> Iterator[str]:
    workers = [(study["study"], worker) for study in studies for worker in study["workers"]]
    if workers:
        yield ""
        yield "workers:"
    for name, worker in workers:
        yield (
            f"  {worker['host']} pid {worker['pid']}: {name} trial {worker['trial']}, "
            f"last beat {worker['beat_seconds_ago']:.0f} s ago"
        )
