"""`tuner dashboard users`: who may log in to the dashboard."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["users"]

_file_option = click.option(
    "--users",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="The users file.",
)


@click.group(no_args_is_help=False)
def users() -> None:
    """Say who may log in to the dashboard.

    Example: tuner dashboard users add ann --role writer --users dashboard.users
    """


@users.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["reader", "writer"]),
    default="reader",
    show_default=True,
    help="A writer may also edit notes and delete studies.",
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin instead of asking."
)
@_file_option
def add(*, name: str, role: str, password_stdin: bool, path: Path) -> None:
    """Add a user, or give one another password or role; the file is made where there is none.

    Example: tuner dashboard users add ann --users dashboard.users
    """
    from tuner.service import add_user

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    add_user(path, name, password, "writer" if role == "writer" else "reader")
    click.echo(f"{name} ({role}) may log in with {path}", err=True)


@users.command("list")
@_file_option
def list_users(*, path: Path) -> None:
    """Show names and roles.

    Example: tuner dashboard users list --users dashboard.users
    """
    from tuner.service import read_users

    for user in read_users(path).values():
        click.echo(f"{user.name}\t{user.role}")


@users.command()
@click.argument("name")
@_file_option
def remove(*, name: str, path: Path) -> None:
    """Remove a user; open sessions of theirs end at once.

    Example: tuner dashboard users remove ann --users dashboard.users
    """
    from tuner.service import remove_user

    remove_user(path, name)
    click.echo(f"{name} is removed from {path}", err=True)
