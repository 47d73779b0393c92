"""How many cores there are for us, and how many threads a process takes of them."""

from __future__ import annotations

import os
from functools import cache

__all__ = ["cores", "thread_environment", "threads"]

_INTRA_OP = "TF_NUM_INTRAOP_THREADS"


@cache
def cores() -> int:
    """Count the cores this process may use: the machine's, its affinity, a container's quota."""
    from joblib import cpu_count

    return int(cpu_count())


def threads() -> int:
    """Count the threads of a trial: TF_NUM_INTRAOP_THREADS if it says so, else all `cores`."""
    given = os.environ.get(_INTRA_OP, "")
    return int(given) if given.isdecimal() and int(given) > 0 else cores()


def thread_environment(n: int) -> dict[str, str]:
    """Give the variables that let a process, started later or not yet computing, take `n`.

    >>> thread_environment(2)["OMP_NUM_THREADS"]
    '2'
    """
    return {_INTRA_OP: str(n), "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": str(n)}
