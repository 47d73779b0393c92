"""Trials as Optuna's cache asks for them, without reading all running ones at every question.

Optuna reads every unfinished trial anew whenever anybody asks for trials: at each report, each
proposal, each count. With hundreds of workers that takes longer than what they do in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import or_
from sqlalchemy.orm import selectinload

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

__all__ = ["RunningReads"]

SHARE_MAX = 0.02  # of the time, that reading the running trials of others may take
_NAMED_MAX = 1_000  # in one query; databases bound the count of its parameters
_RELATIONS = ("params", "values", "user_attributes", "system_attributes", "intermediate_values")


class RunningReads:
    """Reads new and finished trials at once, and others' running ones now and then.

    Every trial's state is asked for each time, so that an end is seen at once, and so are trials
    that have no parameters yet. What else runs, this process's own trial too, is read again when
    reading all of it took less than a fiftieth of the time since: with ten workers a few times a
    second, with a thousand about every half minute.

    Parameters
    ----------
    clock
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._seen: dict[int, FrozenTrial] = {}

    def read(
        self,
        session: Any,
        storage: RDBStorage,
        study_id: int,
        *,
        unfinished: Collection[int],
        last_finished: int,
    ) -> list[FrozenTrial]:
        """Give the unfinished trials and those with an id above, by id."""
        models.StudyModel.find_or_raise_by_id(study_id, session)
        model = models.TrialModel
        older = [trial_id for trial_id in unfinished if trial_id <= last_finished]
        asked = (
            model.study_id == study_id,
            or_(model.trial_id.in_(older), model.trial_id > last_finished),
        )
        query = session.query(model.trial_id, model.state).filter(*asked)
        states = {row.trial_id: row.state for row in query.order_by(model.trial_id)}
        started = self._clock()
        is_due = started >= self._due
        wanted = [
            trial_id
            for trial_id, state in states.items()
            if is_due or state != TrialState.RUNNING or not self._is_known(trial_id)
        ]
        if wanted:
            which = asked if len(wanted) > _NAMED_MAX else (model.trial_id.in_(wanted),)
            relations = (selectinload(getattr(model, name)) for name in _RELATIONS)
            for row in session.query(model).options(*relations).filter(*which):
                self._seen[row.trial_id] = storage._build_frozen_trial_from_trial_model(row)
        if is_due:
            now = self._clock()
            self._due = now + (now - started) / SHARE_MAX
        found = [self._seen[trial_id] for trial_id in states if trial_id in self._seen]
        self._seen = {t._trial_id: t for t in found if t.state == TrialState.RUNNING}
        return found

    def _is_known(self, trial_id: int) -> bool:
        seen = self._seen.get(trial_id)
        return seen is not None and bool(seen.params)
