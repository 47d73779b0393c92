"""`python -m tuner.isolation.child FD`: run trials for the guard at the other end of a pipe."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from tuner.errors import Interrupted, TunerError
from tuner.isolation.messages import Answer, Ask, Ended, Learn, Log, Ready, Run, Stop
from tuner.records import Spent, TrialOutcome, TrialState

__all__: list[str] = []


class _Link:
    """The child's end of the pipe; when the guard is gone it closes, and the child ends itself.

    A thread of its own reads, so that it notices even while a trial is deep in compiled code.
    """

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._orders: SimpleQueue[Learn | Run] = SimpleQueue()
        self._answers: SimpleQueue[Answer | Stop] = SimpleQueue()
        self._stopped = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            match message:
                case Stop():
                    self._stopped.set()
                    self._answers.put(message)
                case Answer():
                    self._answers.put(message)
                case _:
                    self._stopped.clear()
                    self._answers = SimpleQueue()
                    self._orders.put(message)

    def order(self) -> Learn | Run:
        """Wait for the next order."""
        return self._orders.get()

    def send(self, message: Any) -> None:
        """Send a message whole, from any thread."""
        with self._sending:
            self._connection.send(message)

    def ask(self, question: Ask) -> Any:
        """Ask the guard, and give its answer.

        Raises
        ------
        Interrupted
            If the trial is to be dropped.
        """
        self.stop_requested()
        self.send(question)
        answer = self._answers.get()
        if isinstance(answer, Stop):
            raise Interrupted(signal.SIGTERM)
        return answer.content

    def stop_requested(self) -> None:
        """Raise `Interrupted` if the trial is to be dropped."""
        if self._stopped.is_set():
            raise Interrupted(signal.SIGTERM)


class _RemoteCheckpoint:
    """The trial's checkpoint, which the guard has."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    def load(self) -> TrialState | None:
        """Give the newest state of an earlier attempt; None where there is none."""
        state: TrialState | None = self._link.ask(Ask("load"))
        return state

    def is_due(self) -> bool:
        """Say whether saving pays by now."""
        return bool(self._link.ask(Ask("is_due")))

    def save(self, state: TrialState) -> None:
        """Keep a state."""
        self._link.ask(Ask("save", state))


class _LogToGuard(QueueHandler):
    """Passes log records on to the guard, whose handlers know where they go."""

    def __init__(self, link: _Link) -> None:
        super().__init__(SimpleQueue())
        self._link = link

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record that has been made ready to be pickled."""
        self._link.send(Log(record))


def _run(link: _Link, run_trial: Callable[..., TrialOutcome], order: Run) -> TrialOutcome:
    def report(*, epochs_completed: int, value: float, spent: Spent) -> None:
        link.ask(Ask("report", (epochs_completed, value, spent)))

    # Only the recipe of a study has folds.
    on_fold = {} if order.fold is None else {"fold": order.fold}
    return run_trial(
        order.settings,
        seeds=order.seeds,
        report=report,
        stop_requested=link.stop_requested,
        checkpoint=_RemoteCheckpoint(link) if order.has_checkpoint else None,
        **on_fold,
    )


def _sendable(error: Exception) -> Exception:
    """Give the error itself, or one that says the same; a bug has its traceback as a note."""
    if isinstance(error, TunerError):
        return error
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever a foreign class does when it is pickled
        said = RuntimeError(f"{type(error).__name__}: {error}")
        error = said.with_traceback(error.__traceback__)
    error.add_note("in the guarded child:\n" + "".join(traceback.format_exception(error)))
    return error


def main() -> None:
    """Take orders until the guard is gone."""
    # The guard alone hears signals, and tells: one that reached both would look like a death.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link = _Link(Connection(int(sys.argv[1])))
    logger = logging.getLogger("tuner")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(_LogToGuard(link))
    runs: dict[int, Callable[..., TrialOutcome]] = {}
    while True:
        order = link.order()
        try:
            if isinstance(order, Learn):
                runs[order.number] = order.recipe.make()
                link.send(Ready())
            else:
                link.send(Ended(_run(link, runs[order.number], order)))
        except Interrupted:
            link.send(Ended())
        except Exception as error:  # noqa: BLE001 - the guard raises it
            link.send(Ended(error=_sendable(error)))


if __name__ == "__main__":
    main()
