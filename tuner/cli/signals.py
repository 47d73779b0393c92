"""Ctrl-C and SIGTERM: at once before the search, between two compiled calls during it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from tuner.cli.say import say
from tuner.errors import Interrupted
from tuner.last_resort import carry_out

__all__ = ["Signals", "interrupting_signals"]


# Who was told to stop has 10 s in all, a local worker 7.
_LATE_SECONDS = 5.0


@contextmanager
def interrupting_signals() -> Iterator[None]:
    """Let SIGTERM end the body as Ctrl-C does, and say afterwards which of them it was.

    For a server that ends itself quietly when it is interrupted.

    Raises
    ------
    Interrupted
        At the end of the body, if a signal has come in.
    """
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if received:
        raise Interrupted(received[0])


class Signals:
    """Handles SIGINT and SIGTERM while it is entered.

    Until `stop_requested` is first called, a signal raises `Interrupted` where it finds the
    program; from then on it waits to be asked, so that no trial is left half told. A second
    Ctrl-C does not wait. Where the program is in a native call, which no handler can leave, and
    has left something to do in its place, that is done after five seconds, and the process ends.
    """

    def __init__(self) -> None:
        self._number = 0
        self._is_polled = False
        self._previous: dict[int, object] = {}
        self._has_ended = threading.Event()

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        # Written to by the interpreter itself at once, also while a native call runs.
        self._told, self._tells = socket.socketpair()
        self._tells.setblocking(False)
        self._previous_tells = signal.set_wakeup_fd(
            self._tells.fileno(), warn_on_full_buffer=False
        )
        threading.Thread(target=self._end_when_late, name="signals", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        signal.set_wakeup_fd(self._previous_tells)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal() gave
        self._tells.close()  # ends the thread

    def _end_when_late(self) -> None:
        with self._told:
            while told := self._told.recv(1):
                number = told[0]
                if number not in self._previous or self._has_ended.wait(_LATE_SECONDS):
                    continue
                with suppress(Exception):
                    if not carry_out(number):
                        continue
                    say("stopped while a network was being compiled; what was cut off runs again")
                if sys.stderr.isatty():
                    sys.stderr.write("\x1b[?25h")  # the cursor, which a live view hides
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(128 + number)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._number = number
        if not self._is_polled:
            raise Interrupted(number)

    def stop_requested(self) -> None:
        """Raise `Interrupted` if a signal has come in."""
        self._is_polled = True
        if self._number:
            raise Interrupted(self._number)
