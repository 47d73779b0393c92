"""The command line that was given, to show how a stopped command goes on."""

from __future__ import annotations

import shlex
import sys

from tuner.masking import mask_url

__all__ = ["same_line"]


def same_line() -> str:
    """Give the command line of this process, passwords in URLs apart."""
    # argv holds no password unless its user put one there; then it is theirs to type again.
    program = "python -m tuner.optimize" if sys.argv[0].endswith("optimize.py") else "tuner"
    words = [mask_url(word) if "://" in word else word for word in sys.argv[1:]]
    return f"{program} {shlex.join(words)}".strip()
