"""`tuner replay`: run a trial again and compare."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tuner.cli.options import default_storage, output_option, storage_option

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
    """Run a complete trial again from its record and compare; 1 if it comes out otherwise.

    On the same kind of processor with the same threads and code the weights have to be the same,
    bit for bit; elsewhere the objective may differ by 0.002.

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
    bits = "the same weights, bit for bit" if found.are_bits_equal else "other weights"
    click.echo(f"trial {trial}: {found.value:.6f} recorded, {found.again:.6f} now; {bits}")
    if not found.holds:
        click.echo("it does not come out as recorded")
    return int(not found.holds)
