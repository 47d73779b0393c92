"""Where log lines go: stderr, and the run's `logs/`."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tuner.cli.say import TAKES_ALL
from tuner.persist import disk_errors

__all__ = ["FILE_ONLY", "LOG_FORMATS", "log_to_file", "log_to_stderr"]

LOG_FORMATS = ("text", "json")

FILE_ONLY = "file_only"
"""Attribute of log records that stderr does not show: a live view shows the same its own way."""


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the time: a live view puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _LogFile(logging.FileHandler):
    """A log file that keeps silent when the disk is full: the run says so in its own line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line."""


def log_to_stderr(*, verbose: bool, quiet: bool, log_format: str = "text") -> None:
    """Send the product's log lines to stderr: warnings, then progress, then details.

    Parameters
    ----------
    log_format
        "text" for a person, or "json" for a collector of logs: one object a line, and nothing
        else on stderr.
    """
    logger = logging.getLogger("tuner")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = _CurrentStderr()
    handler.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    if log_format == "json":
        handler.setFormatter(_json_formatter())
        setattr(handler, TAKES_ALL, True)
        _take_what_libraries_say(handler.formatter)
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    handler.addFilter(lambda record: not getattr(record, FILE_ONLY, False))
    logger.addHandler(handler)


def _take_what_libraries_say(formatter: logging.Formatter | None) -> None:
    """Let warnings and log lines that are not the product's be JSON too."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _CurrentStderr):
            root.removeHandler(handler)
    handler = _CurrentStderr()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(formatter)
    root.addHandler(handler)


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger"},
        static_fields={"host": socket.gethostname(), "pid": os.getpid()},
        reserved_attrs=[*RESERVED_ATTRS, FILE_ONLY],
        timestamp="time",
        json_ensure_ascii=False,
    )


@contextmanager
def log_to_file(folder: Path) -> Iterator[Path]:
    """Send all log lines to a new file in the run's `logs/` too, and give its path."""
    now = datetime.now(UTC)
    path = folder / "logs" / f"optimize-{now:%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("tuner")
    logger.addHandler(handler)
    try:
        yield path
    except Exception:
        logger.debug("the run ended with an error", exc_info=True)
        raise
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()
