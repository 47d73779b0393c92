"""The parameters that a study's trials have been asked for, without reading the trials."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

from optuna.distributions import json_to_distribution
from optuna.storages._rdb import models
from sqlalchemy import select

__all__ = ["asked_params"]


def asked_params(session: Any, study_id: int) -> list[Mapping[str, Any]]:
    """Give the parameters of each trial but those that a signal or a dead process cut off.

    A running trial draws them after its slot is taken; until then it has what was fixed for it.
    Two queries, whatever the count of trials: a claim asks, and all others wait for it.
    """
    trial, param = models.TrialModel, models.TrialParamModel
    system, user = models.TrialSystemAttributeModel, models.TrialUserAttributeModel
    cut_off = select(user.trial_id).where(user.key == "retried", user.value_json == "true")
    is_asked = (trial.study_id == study_id) & trial.trial_id.not_in(cut_off)
    read = cache(json_to_distribution)
    asked: dict[int, dict[str, Any]] = defaultdict(dict)
    fixed = (
        select(system.trial_id, system.value_json)
        .join(trial, trial.trial_id == system.trial_id)
        .where(is_asked, system.key == "fixed_params")
    )
    for trial_id, value in session.execute(fixed):
        asked[trial_id] |= json.loads(value)
    drawn = (
        select(param.trial_id, param.param_name, param.param_value, param.distribution_json)
        .join(trial, trial.trial_id == param.trial_id)
        .where(is_asked)
    )
    for trial_id, name, value, distribution in session.execute(drawn):
        asked[trial_id][name] = read(distribution).to_external_repr(value)
    return list(asked.values())
