"""`tuner cache`: what preparing has left for later trials and runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.options import output_option
from tuner.wording import size_words

if TYPE_CHECKING:
    from tuner.persist import Cache, CacheEntry

__all__ = ["cache"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class _Size(click.ParamType[int]):
    """Bytes, or a number with KB, MB, GB or TB."""

    name = "SIZE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", str(value).strip(), re.IGNORECASE)
        if match is None:
            self.fail(f"must be bytes, or such as 500MB or 20GB; got {value!r}.", param, ctx)
        return int(float(match[1]) * _UNITS[match[2].upper()])


class _Limit(_Size):
    """A size, or none, which becomes -1: click takes None for an argument left out."""

    name = "SIZE|none"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if str(value).strip().lower() == "none":
            return -1
        return super().convert(value, param, ctx)


class _Age(click.ParamType[float]):
    """A number with m, h or d."""

    name = "AGE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", str(value).strip())
        if match is None:
            self.fail(
                f"must be minutes, hours or days, such as 90m, 12h or 30d; got {value!r}.",
                param,
                ctx,
            )
        return float(match[1]) * _SECONDS[match[2]]


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
def cache() -> None:
    """Show, verify or prune what preparing has left in <output>/cache.

    Cleaned texts, tokens, vocabularies and encoded texts lie there (stages cleaning, segments,
    vocabulary, encoding), of pretrained encoders pieces and the activations of frozen groups
    (pieces, prefix), each under a digest of all that it depends on. They serve every later
    trial and run. Nothing in it is needed: what was pruned is made again.

    Example: tuner cache prune --older-than 30d
    """


@cache.command()
@output_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def show(*, output: Path, as_json: bool) -> None:
    """List the entries with stage, size and last use, the one used last first.

    Example: tuner cache show
    """
    found = _open(output)
    entries = found.entries()
    total = sum(entry.n_bytes for entry in entries)
    limit = found.limit_bytes
    weights = list(_sizes(output.glob("*/blobs/*.blob")))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "entries": [_as_json(entry) for entry in entries],
                    "n_bytes": total,
                    "limit_bytes": limit,
                    "weights_bytes": sum(weights),
                }
            )
        )
        return
    _list(entries)
    allowed = "no limit" if limit is None else f"limit {size_words(limit)}"
    click.echo(f"{len(entries)} entries, {size_words(total)} ({allowed})")
    if weights:
        click.echo(
            f"beside the cache: {size_words(sum(weights))} of trials' weights and states; a study "
            "keeps those of trial 0 and its best (workers.weights_kept)"
        )


@cache.command()
@output_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def verify(*, output: Path, as_json: bool) -> int:
    """Read every entry whole and remove the damaged ones; exit code 1 if there were any.

    Example: tuner cache verify
    """
    found = _open(output)
    n_entries = len(found.entries())
    damaged = found.verify()
    for entry in damaged:
        found.remove(entry)
    if as_json:
        click.echo(json.dumps({"checked": n_entries, "removed": [_as_json(e) for e in damaged]}))
    else:
        _list(damaged)
        click.echo(f"{n_entries} entries read, {len(damaged)} damaged and removed")
    return 1 if damaged else 0


@cache.command()
@output_option
@click.option("--max-size", type=_Size(), help="Size that may stay, such as 5GB.")
@click.option("--older-than", type=_Age(), help="Unused for so long, such as 90m, 12h or 30d.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def prune(*, output: Path, max_size: int | None, older_than: float | None, as_json: bool) -> None:
    """Remove entries by their last use, and files that killed processes left behind.

    Without options the cache is brought below its limit. Studies that run go on.

    Example: tuner cache prune --max-size 5GB --older-than 30d
    """
    found = _open(output)
    if max_size is None and older_than is None:
        max_size = found.limit_bytes
    removed = found.prune(max_bytes=max_size, unused_seconds=older_than)
    if as_json:
        click.echo(json.dumps({"removed": [_as_json(entry) for entry in removed]}))
        return
    _list(removed)
    freed = sum(entry.n_bytes for entry in removed)
    click.echo(f"{len(removed)} entries removed, {size_words(freed)} freed")


@cache.command()
@click.argument("size", type=_Limit())
@output_option
def limit(*, size: int, output: Path) -> None:
    """Set the size the cache may have; entries unused for longest make room for new ones.

    Example: tuner cache limit 50GB
    """
    allowed = None if size < 0 else size
    _open(output).set_limit(allowed)
    click.echo("no limit" if allowed is None else f"limit {size_words(allowed)}")


def _sizes(paths: Iterable[Path]) -> Iterator[int]:
    """Give the bytes of files; one that a running study removes meanwhile does not count."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.stat().st_size


def _open(output: Path) -> Cache:
    from tuner.persist import Cache

    return Cache(output / "cache")


def _list(entries: Sequence[CacheEntry]) -> None:
    if not entries:
        return
    click.echo(f"{'stage':<12}{'key':<14}{'size':>10}  last use")
    now = time.time()
    for entry in entries:
        age = _age(now - entry.last_used)
        click.echo(f"{entry.stage:<12}{entry.key[:12]:<14}{size_words(entry.n_bytes):>10}  {age}")


def _as_json(entry: CacheEntry) -> dict[str, object]:
    return {
        "stage": entry.stage,
        "key": entry.key,
        "n_bytes": entry.n_bytes,
        "last_used": round(entry.last_used, 3),
    }


def _age(seconds: float) -> str:
    """Give an age in whole units.

    >>> _age(5), _age(7200), _age(3 * 86_400)
    ('just now', '2 h ago', '3 d ago')
    """
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:.0f} {'min' if unit == 'm' else unit} ago"
    return "just now"
