"""Optuna's database storage, made to ride out an outage and to claim and close in one piece."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from optuna.storages import RDBStorage

# Private, and pinned by `optuna>=5.0,<5.1`: tests/unit/search/test_upstream.py fails when
# Optuna changes them.
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from tuner.counters import STORAGE_RETRIES, count
from tuner.search import transactions
from tuner.search.endurance import Endurance, endure
from tuner.search.rows import WaitingRows
from tuner.search.running_reads import RunningReads
from tuner.search.sqlite_file import reading
from tuner.search.transactions import Beat, Propose

__all__ = ["EnduringStorage"]

# Every operation of Optuna's storage that asks the database, and all that its cache calls.
# Each is harmless twice: what a lost connection has committed is found or written again.
OPERATIONS = (
    "create_new_study",
    "delete_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "create_new_trial",
    "_create_new_trial",
    "set_trial_param",
    "_set_trial_param",
    "get_trial_id_from_study_id_trial_number",
    "get_trial_number_from_id",
    "get_trial_param",
    "set_trial_state_values",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial",
    "get_all_trials",
    "get_n_trials",
    "get_best_trial",
    "_get_best_trial_id",
    "get_trial_params",
    "get_trial_user_attrs",
    "get_trial_system_attrs",
    "_get_stale_trial_ids",
)
_READS = frozenset(name for name in OPERATIONS if name.lstrip("_").startswith("get_"))
# What can wait for the next reading, see `EnduringStorage.writing_together`.
_WAITING: Mapping[str, Callable[..., bool]] = {
    "_set_trial_param": WaitingRows.param,
    "set_trial_intermediate_value": WaitingRows.value,
    "set_trial_system_attr": WaitingRows.system_attribute,
}


class EnduringStorage(RDBStorage):
    """`RDBStorage` whose operations wait for a database that is away.

    Attributes
    ----------
    endurance
        How long.
    check
        Called in the main thread while it waits; raises to end the wait.
    n_retries
        Attempts beyond the first, of all operations so far.
    """

    endurance = Endurance()
    n_retries = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._running_reads = RunningReads()
        self._here = threading.local()
        super().__init__(*arguments, **named)

    @staticmethod
    def check() -> None:
        """Wait on; `heed` puts another check in this place."""

    def heed(self, check: Callable[[], None]) -> None:
        """Let a check end the wait for a database that is away."""
        self.check = check  # type: ignore[method-assign]

    def enduring(
        self, operation: Callable[[], Any], *, check: Callable[[], None] | None = None
    ) -> Any:
        """Do an operation that is harmless twice, see `endure`."""
        if check is None:
            is_main = threading.current_thread() is threading.main_thread()
            check = self.check if is_main else lambda: None
        return endure(
            operation,
            limit_seconds=self.endurance.outage_seconds,
            check=check,
            retried=self._count_retry,
        )

    def _count_retry(self) -> None:
        self.n_retries += 1
        count(STORAGE_RETRIES)

    @contextmanager
    def writing_together(self) -> Iterator[None]:
        """Write what this thread says about running trials in few transactions.

        Parameters, intermediate values and system attributes wait for whatever is asked next and
        are written in its transaction, so that they are there for who asks; the rest is written
        at the end. What waits when the body raises is dropped.
        """
        self._here.waiting = WaitingRows()
        try:
            yield
            self._write_waiting()
        finally:
            self._here.waiting = None

    def _waiting(self) -> WaitingRows | None:
        waiting: WaitingRows | None = getattr(self._here, "waiting", None)
        return waiting

    def _write_waiting(self) -> None:
        if self._waiting():
            self._transaction(lambda _: None)

    def _transaction(self, body: Callable[[Any], Any], *, reads: bool = False) -> Any:
        """Do all of the body or nothing; one that reads writes what waits before it."""
        waiting = self._waiting()

        def once() -> Any:
            with (
                reading() if reads and not waiting else nullcontext(),
                _create_scoped_session(self.scoped_session) as session,
            ):
                if waiting:
                    waiting.write(session)
                return body(session)

        found = self.enduring(once)
        if waiting:
            waiting.clear()
        return found

    def claim_trial(
        self,
        study_id: int,
        *,
        total: int,
        owner: Mapping[str, Any],
        first_params: Mapping[str, Any],
        propose: Propose,
    ) -> int | None:
        """Take a free slot, see `transactions.claim_trial`; give its trial's id."""
        trial_id: int | None = self._transaction(
            lambda session: transactions.claim_trial(
                session,
                self,
                study_id,
                total=total,
                owner=owner,
                first_params=first_params,
                propose=propose,
            )
        )
        self._running_reads.own = trial_id
        return trial_id

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        if states is not None or trial_id_greater_than < 0:
            self._write_waiting()
            original = super()._get_trials
            with reading():
                whole: list[FrozenTrial] = self.enduring(
                    lambda: original(study_id, states, included_trial_ids, trial_id_greater_than)
                )
            return whole
        found: list[FrozenTrial] = self._transaction(
            lambda session: self._running_reads.read(
                session,
                self,
                study_id,
                unfinished=included_trial_ids,
                last_finished=trial_id_greater_than,
            ),
            reads=True,
        )
        return found

    def finish_trial(
        self,
        trial_id: int,
        *,
        state: TrialState,
        value: float | None,
        attributes: Mapping[str, Any],
        owner: Mapping[str, Any],
    ) -> None:
        """Close a trial with its result, see `transactions.finish_trial`."""
        self._transaction(
            lambda session: transactions.finish_trial(
                session,
                self,
                trial_id,
                state=state,
                value=value,
                attributes=attributes,
                owner=owner,
            )
        )

    def close_trial(
        self,
        study_id: int,
        trial_id: int,
        *,
        reason: str,
        retry: Mapping[str, Any] | None,
        attributes: Mapping[str, Any] | None = None,
    ) -> bool:
        """Fail a running trial and queue it again, see `transactions.close_trial`."""
        closed: bool = self._transaction(
            lambda session: transactions.close_trial(
                session,
                self,
                study_id,
                trial_id,
                reason=reason,
                retry=retry,
                attributes=attributes,
            )
        )
        return closed

    def copy_trial(self, study_id: int, trial: FrozenTrial) -> None:
        """Put a trial of another study into this one, see `transactions.copy_trial`."""
        self._transaction(lambda session: transactions.copy_trial(session, self, study_id, trial))

    def seconds_by_its_clock(self) -> float:
        """Give the time by the database's own clock, in seconds since the epoch."""
        seconds: float = self._transaction(transactions.seconds_by_its_clock, reads=True)
        return seconds

    def replace_study_attributes(self, study_id: int, attributes: Mapping[str, Any]) -> None:
        """Let a study have these user attributes and no others, in one transaction."""
        self._transaction(
            lambda session: transactions.replace_study_attributes(session, study_id, attributes)
        )

    def put_study_attributes(
        self,
        study_id: int,
        attributes: Mapping[str, Any],
        *,
        holds: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> bool:
        """Write user attributes of a study at once, see `transactions.put_study_attributes`."""
        written: bool = self._transaction(
            lambda session: transactions.put_study_attributes(
                session, study_id, attributes, holds=holds
            )
        )
        return written

    def count_trials(self, study_id: int, states: Sequence[TrialState]) -> int:
        """Count trials without reading them, as Optuna's `get_n_trials` would."""
        n_trials: int = self._transaction(
            lambda session: transactions.count_trials(session, study_id, states), reads=True
        )
        return n_trials

    def record_heartbeat(self, trial_id: int) -> None:
        """Note that a trial's worker lives, see `transactions.beat`."""
        self._transaction(lambda session: transactions.beat(session, trial_id))

    def beats(self, study_id: int) -> list[Beat]:
        """Give the running trials with owner and seconds since their last beat."""
        found: list[Beat] = self._transaction(
            lambda session: transactions.beats(session, study_id), reads=True
        )
        return found


def _enduring(name: str) -> Callable[..., Any]:
    original = getattr(RDBStorage, name)
    wait = _WAITING.get(name)
    around = reading if name in _READS else nullcontext

    @functools.wraps(original)
    def operation(self: EnduringStorage, *arguments: Any, **named: Any) -> Any:
        waiting = self._waiting()
        if waiting is not None:
            if wait is not None and wait(waiting, *arguments, **named):
                return None
            self._write_waiting()
        with around():
            return self.enduring(lambda: original(self, *arguments, **named))

    return operation


for _name in OPERATIONS:
    setattr(EnduringStorage, _name, _enduring(_name))
