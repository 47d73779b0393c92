"""Ctrl-C and SIGTERM: at once before the search, between two compiled calls during it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from tuner.errors import Interrupted

__all__ = ["Signals", "interrupting_signals"]


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
    Ctrl-C does not wait.
    """

    def __init__(self) -> None:
        self._number = 0
        self._is_polled = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal() gave

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
