"""`tuner replay`: run a trial again and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.options import default_storage, output_option, storage_option
from tuner.wording import counted

if TYPE_CHECKING:
    from tuner.service.replay import Replay

__all__ = ["replay"]


@click.command()
@click.argument("study_name", metavar="STUDY")
@click.argument("trial", type=click.IntRange(min=0))
@output_option
@storage_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def replay(
    *, study_name: str, trial: int, output: Path, storage: str | None, as_json: bool
) -> int:
    """Run a trial again from its record and compare; 1 if it comes out otherwise.

    On the same kind of processor with the same threads and code the weights have to be the same,
    bit for bit; elsewhere the objective may differ by 0.002. A trial that was pruned or cut off
    runs as far as its record goes, and its epochs are compared; one that failed has to fail again.

    Example: tuner replay reviews-1a2b3c4d 17
    """
    from tuner.cli.logs import log_to_stderr
    from tuner.cli.signals import Signals
    from tuner.service import replay_trial

    log_to_stderr(verbose=False, quiet=True)
    with Signals() as signals:
        found = replay_trial(
            default_storage(storage, output),
            study_name,
            trial,
            output=output,
            stop_requested=signals.stop_requested,
        )
    if as_json:
        click.echo(json.dumps({**asdict(found), "holds": found.holds}, ensure_ascii=False))
        return int(not found.holds)
    for line in found.drift:
        click.echo(f"drift: {line}")
    for line in _lines(found):
        click.echo(f"trial {trial}: {line}")
    if not found.holds:
        click.echo("it does not come out as recorded")
    return int(not found.holds)


def _lines(found: Replay) -> Iterator[str]:
    now = "nothing" if found.again is None else f"{found.again:.6f}"
    if found.state == "complete":
        bits = "the same weights, bit for bit" if found.are_bits_equal else "other weights"
        yield f"{found.value:.6f} recorded, {now} now; {bits}"
    elif found.epochs:
        bits = "the same, bit for bit" if found.are_bits_equal else "others"
        far = counted(found.epochs, "epoch")
        yield (
            f"{found.state} after {far}, the last with {found.value:.6f} recorded, {now} now; the "
            f"values of all of them: {bits}"
        )
    if found.failure:
        yield f"it failed then: {found.failure}"
    if found.failure and found.failure == found.failure_again:
        yield "it fails now with the same words"
    elif found.failure_again:
        yield f"it fails now: {found.failure_again}"
    elif found.must_fail:
        yield "it does not fail now"
    elif found.was_set_aside:
        yield "it does not die now"
