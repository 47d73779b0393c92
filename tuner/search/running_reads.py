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
from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import selectinload

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

__all__ = ["RunningReads"]

SHARE_MAX = 0.02  # of the time, that reading the running trials of others may take
_NAMED_MAX = 1_000  # in one query; databases bound the count of its parameters
_RELATIONS = ("params", "values", "user_attributes", "system_attributes", "intermediate_values")
_ASKED = and_(
    models.TrialModel.study_id == bindparam("study"),
    or_(
        models.TrialModel.trial_id.in_(bindparam("older", expanding=True)),
        models.TrialModel.trial_id > bindparam("last"),
    ),
)
_STATES = (
    select(models.TrialModel.trial_id, models.TrialModel.state)
    .where(_ASKED)
    .order_by(models.TrialModel.trial_id)
)


class RunningReads:
    """Reads new and finished trials at once, and others' running ones now and then.

    Every trial's state is asked for each time, so that an end is seen at once, and so are trials
    that have no parameters yet. What else runs is read again when reading all of it took less than
    a fiftieth of the time since: with ten workers a few times a second, with a thousand about
    every half minute. This process's own trial is read once: what it draws and reports it knows.

    Parameters
    ----------
    clock
        Seconds that only grow.

    Attributes
    ----------
    own
        Id of the trial that this process runs, None for none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._seen: dict[int, FrozenTrial] = {}
        self.own: int | None = None

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
        model = models.TrialModel
        asked = {
            "study": study_id,
            "older": [trial_id for trial_id in unfinished if trial_id <= last_finished],
            "last": last_finished,
        }
        states = {row.trial_id: row.state for row in session.execute(_STATES, asked)}
        if not states:
            models.StudyModel.find_or_raise_by_id(study_id, session)  # was it deleted?
        started = self._clock()
        is_due = started >= self._due
        wanted = [
            trial_id
            for trial_id, state in states.items()
            if state != TrialState.RUNNING or self._is_wanted(trial_id, is_due=is_due)
        ]
        if wanted:
            relations = (selectinload(getattr(model, name)) for name in _RELATIONS)
            query = session.query(model).options(*relations)
            query = (
                query.filter(_ASKED).params(asked)
                if len(wanted) > _NAMED_MAX
                else query.filter(model.trial_id.in_(wanted))
            )
            for row in query:
                self._seen[row.trial_id] = storage._build_frozen_trial_from_trial_model(row)
        if is_due:
            now = self._clock()
            self._due = now + (now - started) / SHARE_MAX
        found = [self._seen[trial_id] for trial_id in states if trial_id in self._seen]
        self._seen = {t._trial_id: t for t in found if t.state == TrialState.RUNNING}
        return found

    def _is_wanted(self, trial_id: int, *, is_due: bool) -> bool:
        """Say whether to read a running trial."""
        seen = self._seen.get(trial_id)
        if seen is None or trial_id == self.own:
            return seen is None
        return is_due or not seen.params
