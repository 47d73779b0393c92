"""`tuner storage`: look a storage over, mend it, copy it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.options import default_storage, output_option, storage_option
from tuner.errors import ConfigError
from tuner.masking import has_password, mask_url

if TYPE_CHECKING:
    from tuner.search import CopiedStudy

__all__ = ["storage", "url_of"]


def url_of(name: str, word: str) -> str:
    """Give the storage's URL that a word of the command line stands for.

    Parameters
    ----------
    name
        Of the argument, for messages.
    word
        A URL, `env:NAME` or `file:PATH`.

    Raises
    ------
    ConfigError
        If it stands for nothing, or has a password in it: other users of the machine can read
        a process's arguments.
    """
    kind, _, place = word.partition(":")
    if kind == "env":
        url = os.environ.get(place, "").strip()
        if not url:
            raise ConfigError(
                f"{name} must name an environment variable that holds a storage's URL; "
                f"{place!r} is not set."
            )
        return url
    if kind == "file":
        try:
            url = Path(place).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{name}: {place} cannot be read: {error}.") from error
        if not url:
            raise ConfigError(f"{name}: {place} must hold a storage's URL; it is empty.")
        return url
    if has_password(word):
        raise ConfigError(
            f"{name} must have no password in it, since others can read a process's arguments: "
            f"name what holds it, env:NAME or file:PATH, or leave it to PGPASSWORD or ~/.pgpass; "
            f"got {mask_url(word)!r}."
        )
    return word


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
    """Find orphaned trials, duplicates, wrong totals, missing weights; exit code 1 if any is left.

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
            what_now = "  (mended)" if flaw.is_mended else f": {flaw.remedy}"
            click.echo(f"{flaw.study or 'storage'}: {flaw.message}{what_now}")
        if not flaws:
            click.echo("nothing is wrong")
    return int(any(not flaw.is_mended for flaw in flaws))


@storage.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@output_option
def copy(*, source: str, target: str, output: Path) -> None:
    """Copy all studies, with their blobs in the storage, from one storage to another.

    FROM and TO are URLs without a password, env:NAME for an environment variable that holds a
    URL, or file:PATH for a file that does. Run directories stay where they are, and a study and
    its copy have the same one: go on with one of them only. Where data and weights lie there too
    (--blobs folder), this says whether they are found below --output.

    Example: tuner storage copy sqlite:///runs/tuner.db env:OPTUNA_STORAGE
    """
    from tuner.search import copy_studies

    copied = copy_studies(url_of("FROM", source), url_of("TO", target))
    for study in copied:
        was_there = "it has been copied before, and is left as it is"
        done = f"{study.n_trials} trials, {study.n_blobs} blobs"
        click.echo(f"{study.name}: {was_there if study.was_there else done}")
        if study.is_in_folder:
            click.echo(f"{study.name}: {_where_the_rest_is(study, output)}")
    if not copied:
        click.echo("there is no study to copy")


def _where_the_rest_is(study: CopiedStudy, output: Path) -> str:
    """Say where a copied study finds what lies in its run directory."""
    from tuner.persist import FolderBlobs, open_manifest

    folder = output / study.name
    what = "data, weights and checkpoints are not copied, since they lie in its run directory"
    manifest = open_manifest(folder)
    if manifest is None or manifest["fingerprint"] != study.fingerprint:
        return f"{what}, and {folder} is not that: bring it there from where the study was begun"
    if study.best_weights is not None and not FolderBlobs(folder / "blobs").has(
        study.best_weights
    ):
        return f"{what}, and {folder} has no weights of its best trial: bring them there"
    return f"{what}: go on with --output {output}, elsewhere with a copy of {folder}"
