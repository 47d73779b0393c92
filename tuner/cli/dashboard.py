"""`tuner dashboard`: optuna-dashboard on the storage."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli.options import default_storage, output_option, storage_option

__all__ = ["dashboard"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--in-container",
    is_flag=True,
    help="Listen on all interfaces of a container, whose port is published on loopback only.",
)
@output_option
@storage_option
def dashboard(
    *, host: str, port: int, in_container: bool, output: Path, storage: str | None
) -> None:
    """Browse the studies in optuna-dashboard, on this machine only.

    Example: tuner dashboard --port 8080
    """
    from tuner.cli.signals import interrupting_signals
    from tuner.service import serve_dashboard

    with interrupting_signals():
        serve_dashboard(
            default_storage(storage, output),
            host=host,
            port=port,
            in_container=in_container,
            ready=lambda address: click.echo(f"dashboard: {address}  (Ctrl-C ends it)"),
        )
