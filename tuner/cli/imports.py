"""Where the processes of a command import from."""

from __future__ import annotations

import os
import sys

__all__ = ["shun_current_folder"]


def shun_current_folder() -> None:
    """Let the processes that this one starts not import from the folder it is run in.

    `python -m`, by which they are started, looks there first, so that a user's `random.py` or
    folder `tuner` would be run in the place of what is meant. Where this process looks there
    itself, as with `python -m tuner` in a clone that is not installed, they do so too.
    """
    looks_there = not sys.flags.safe_path and sys.path[:1] in ([""], [_current_folder()])
    if not looks_there:
        os.environ.setdefault("PYTHONSAFEPATH", "1")


def _current_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - spelled as in sys.path
    except FileNotFoundError:
        return ""
