"""What is left to do for a process that was told to stop and cannot look up.

Compiling is one native call that nothing interrupts: seconds long, and half a minute where others
share the machine. Whoever enters such a call leaves here what another thread is to do in its
place before the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["carry_out", "in_my_place"]

Duty = Callable[[int], None]

_ending = threading.Lock()
_duty: list[Duty] = []


@contextmanager
def in_my_place(duty: Duty) -> Iterator[None]:
    """Let `duty`, given the signal's number, be done if the body does not end in time.

    Once it is being done the body does not end any more: the process does.
    """
    _duty.append(duty)
    try:
        yield
    finally:
        with _ending:
            _duty.pop()


def carry_out(signal_number: int) -> bool:
    """Do what was left to do, and say whether there was anything: then the process has to end."""
    _ending.acquire()
    if not _duty:
        _ending.release()
        return False
    _duty[-1](signal_number)
    return True
