"""The guarded child as its guard sees it: started, watched, and ended with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import psutil

__all__ = ["ChildDied", "ChildProcess"]

# What the child has no need of: it never sees the storage.
_WITHHELD = ("OPTUNA_STORAGE", "PGPASSWORD")
_STDERR = 2
_WAIT_SECONDS = 5.0


class ChildDied(Exception):
    """The child is gone; the message says how."""


class ChildProcess:
    """A process of `tuner.isolation.child`, not forked: TensorFlow's threads may be running here.

    It is in a process group of its own, so that Ctrl-C reaches its guard alone. When the guard
    is gone, however that came, the pipe closes and the child ends itself.
    """

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        environment = {name: v for name, v in os.environ.items() if name not in _WITHHELD}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuner.isolation.child", str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,  # stdout is for the command's own data
                pass_fds=[theirs.fileno()],
                process_group=0,
            )
        self._statistics = psutil.Process(self._process.pid)

    def send(self, message: Any) -> None:
        """Send it a message.

        Raises
        ------
        ChildDied
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise ChildDied(self._ending()) from error

    def receive(self, seconds: float) -> Any:
        """Give its next message, or None if none comes within some seconds.

        Raises
        ------
        ChildDied
        """
        try:
            return self._connection.recv() if self._connection.poll(seconds) else None
        except (EOFError, OSError) as error:
            raise ChildDied(self._ending()) from error

    def memory_gb(self) -> float:
        """Give the resident memory of its own in 10^9 bytes; 0 when it is gone.

        Pages of files that it maps, such as the cache's activations and libraries, are not its
        own: the kernel takes them back when memory is short. Where the system does not tell them
        apart (all but Linux) they count.
        """
        try:
            taken = self._statistics.memory_info()
            return float(taken.rss - getattr(taken, "shared", 0)) / 1e9
        except psutil.NoSuchProcess:
            return 0.0

    def kill(self) -> None:
        """End it and what it has started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def _ending(self) -> str:
        """Say how it ended, once its end of the pipe is closed."""
        try:
            code = self._process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process closed the pipe to its guard"
        if code >= 0:
            return f"its process ended with exit code {code}"
        name = signal.Signals(-code).name
        if code == -signal.SIGKILL:
            return f"its process was ended by {name}, as for lack of memory"
        return f"its process was ended by {name} ({signal.strsignal(-code)})"
