"""How the process ends: at once where it was told to stop."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

__all__ = ["end_with"]

_STOPPED = (130, 143)


def end_with(run: Callable[[], int]) -> None:
    """Run, and end the process with the exit code that is given.

    Taking TensorFlow down costs seconds, which who was told to stop does not have. So after a
    signal the interpreter ends without that, but after all that is registered for its end, since
    this was registered before any of it.
    """
    code = 0

    def end() -> None:
        if code in _STOPPED:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    atexit.register(end)
    try:
        code = run()
    except KeyboardInterrupt:  # Ctrl-C while the first modules load
        code = 130
    sys.exit(code)
