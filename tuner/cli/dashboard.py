"""`tuner dashboard`: optuna-dashboard on the storage, behind a door."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli.dashboard_users import users as users_group
from tuner.cli.options import default_storage, output_option, storage_option

__all__ = ["dashboard"]

TOKEN_VARIABLE = "TUNER_DASHBOARD_TOKEN"


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--users",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Who may log in; `tuner dashboard users add` writes it.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Name in the visitors' address bar, besides those of this machine's loopback.",
)
@click.option(
    "--behind-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of the TLS proxy in front; its X-Forwarded headers are believed, "
    "nobody else's, and all others are refused.",
)
@click.option(
    "--plain-http",
    is_flag=True,
    help="Take logins without TLS: names and passwords travel readable.",
)
@click.option(
    "--writable",
    is_flag=True,
    help="Let everybody on this machine write notes and delete studies, without a login.",
)
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Optuna's artifacts of the studies, given as downloads.",
)
@click.option(
    "--in-container",
    is_flag=True,
    help="Listen on all interfaces of a container; asks for a login.",
)
@output_option
@storage_option
@click.pass_context
def dashboard(
    context: click.Context,
    *,
    host: str,
    port: int,
    users: Path | None,
    allowed_hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    plain_http: bool,
    writable: bool,
    artifacts: Path | None,
    in_container: bool,
    output: Path,
    storage: str | None,
) -> None:
    """Browse the studies in optuna-dashboard.

    On this machine alone it needs no login. Everywhere else it does: a users file, or a token in
    the environment's TUNER_DASHBOARD_TOKEN. It is read-only but for users with the role writer.

    Example: tuner dashboard --port 8080
    """
    if context.invoked_subcommand is not None:
        return
    import os

    from tuner.cli.logs import log_to_stderr
    from tuner.cli.signals import interrupting_signals
    from tuner.service import decide_access, serve_dashboard

    log_to_stderr(verbose=False, quiet=False)
    access = decide_access(
        host=host,
        in_container=in_container,
        users=users,
        token=os.environ.get(TOKEN_VARIABLE) or None,
        allowed_hosts=allowed_hosts,
        proxies=proxies,
        plain_http=plain_http,
        writable=writable,
    )
    with interrupting_signals():
        serve_dashboard(
            default_storage(storage, output),
            access=access,
            port=port,
            artifacts=artifacts,
            ready=lambda address: click.echo(f"dashboard: {address}  (Ctrl-C ends it)"),
        )


dashboard.add_command(users_group)
