"""What a command tells its user on stderr."""

from __future__ import annotations

import logging

import click

__all__ = ["TAKES_ALL", "say"]

TAKES_ALL = "takes_all"
"""Attribute of a log handler under which nothing but log lines may stand on stderr."""


def say(text: str, *, level: int = logging.INFO) -> None:
    """Write a line on stderr; where the log is JSON it is one of its lines."""
    logger = logging.getLogger("tuner")
    if any(getattr(handler, TAKES_ALL, False) for handler in logger.handlers):
        logger.log(level, "%s", text)
    else:
        click.echo(text, err=True)
