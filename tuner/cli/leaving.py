"""How the process ends: at once where it was told to stop, or something went wrong."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

__all__ = ["end_with"]


def end_with(run: Callable[[], int]) -> None:
    """Run, and end the process with the exit code that is given.

    Taking TensorFlow down costs seconds, and so does waiting for a thread that still loads it;
    who was told to stop does not have them. So with any code but 0 the interpreter ends without
    that, but after all that is registered for its end, since this was registered before any of
    it.
    """
    code = 0

    def end() -> None:
        if code:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    atexit.register(end)
    try:
        code = run()
    except KeyboardInterrupt:  # Ctrl-C while the first modules load
        code = 130
    if code:
        atexit._run_exitfuncs()  # the interpreter itself waits for its threads before that
    sys.exit(code)
