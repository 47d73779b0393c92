"""`tuner storage`: look a storage over, mend it, copy it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tuner.cli.options import default_storage, output_option, storage_option

__all__ = ["storage"]


@click.group()
def storage() -> None:
    """Look a storage over, mend it, or copy its studies into another one.

    Example: tuner storage check --storage sqlite:///runs/tuner.db
    """


@storage.command()
@click.option("--fix", is_flag=True, help="Mend what can be mended.")
@output_option
@storage_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def check(*, fix: bool, output: Path, storage: str | None, as_json: bool) -> int:
    """Find orphaned trials, duplicates, wrong totals, missing weights; 1 if any is left.

    Example: tuner storage check --fix
    """
    from tuner.persist import FolderBlobs
    from tuner.search import check_storage, storage_errors

    url = default_storage(storage, output)
    with storage_errors(url):
        flaws = check_storage(
            url,
            fix=fix,
            has_blob=lambda study, key: FolderBlobs(output / study / "blobs").get(key) is not None,
        )
    if as_json:
        click.echo(json.dumps([asdict(flaw) for flaw in flaws], ensure_ascii=False))
    else:
        for flaw in flaws:
            mended = "  (mended)" if flaw.is_mended else ""
            click.echo(f"{flaw.study or 'storage'}: {flaw.message}{mended}")
        if not flaws:
            click.echo("nothing is wrong")
    return int(any(not flaw.is_mended for flaw in flaws))


@storage.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(*, source: str, target: str) -> None:
    """Copy all studies, with blobs, from one storage to another.

    A password is better left to PGPASSWORD or ~/.pgpass than written into a URL here.

    Example: tuner storage copy sqlite:///runs/tuner.db postgresql://tuner@db.example/tuner
    """
    from tuner.search import copy_studies, storage_errors

    with storage_errors(source), storage_errors(target):
        copied = copy_studies(source, target)
    for study in copied:
        click.echo(f"{study['study']}: {study['trials']} trials, {study['blobs']} blobs")
    if not copied:
        click.echo("there is no study to copy")
