"""Python's own way to stderr, beside the one that native code writes on."""

from __future__ import annotations

import os
import sys

__all__ = ["take_own_stderr"]


def take_own_stderr() -> None:
    """Let all that Python says on stderr go by a descriptor of its own.

    While TensorFlow loads, what is written on descriptor 2 is held back, see
    `tuner.models.runtime`. It loads in a thread, and what the others say meanwhile is not meant.
    """
    try:
        if sys.stderr.fileno() != 2:
            return
        descriptor = os.dup(2)
    except (OSError, ValueError, AttributeError):
        return  # no real stderr
    sys.stderr.flush()
    sys.stderr = open(  # noqa: SIM115, PTH123 - open as long as the process is; no path
        descriptor,
        "w",
        buffering=1,
        encoding=sys.stderr.encoding,
        errors=sys.stderr.errors,
    )
