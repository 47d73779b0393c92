"""One function over many pieces of work, in several processes where that pays."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

__all__ = ["over_processes"]

_log = logging.getLogger(__name__)

Work = TypeVar("Work")
Result = TypeVar("Result")


def over_processes(
    function: Callable[[Work], Result], pieces: Sequence[Work], *, processes: int
) -> Generator[Result, None, None]:
    """Give `function(piece)` for every piece, in their order.

    A process that dies, as for lack of memory, costs time and no result: what it leaves is done
    in this one.

    Parameters
    ----------
    function
        Of a module, so that another process can import it.
    processes
        With 1, everything is done here.
    """
    done = 0
    if processes > 1 and len(pieces) > 1:
        # Spawned, not forked: TensorFlow's threads may be running already.
        pool = ProcessPoolExecutor(
            min(processes, len(pieces)),
            mp_context=get_context("spawn"),
            initializer=_die_with_the_parent,
        )
        try:
            for result in _submitted(pool, function, pieces):
                yield result
                done += 1
        except BrokenProcessPool:
            _log.warning("a process that prepared texts died; going on with one process")
        finally:
            pool.shutdown(cancel_futures=True)
    yield from map(function, pieces[done:])


def _submitted(
    pool: Executor, function: Callable[[Work], Result], pieces: Sequence[Work]
) -> Iterator[Result]:
    with _interrupts_held():  # the processes start here and inherit it
        return pool.map(function, pieces)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C reach this process alone, which then ends the others, without their say."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with_the_parent() -> None:
    """End this process when the one that started it is killed, instead of waiting for ever."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
