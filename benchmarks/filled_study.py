"""Trials written into a study in bulk, as the product's would look."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy.orm import Session

from tuner.search import Search

EPOCHS = 8


def fill(
    search: Search,
    n: int,
    *,
    value_of: Callable[[Mapping[str, Any]], float],
    weights: str = "none",
    owner: Mapping[str, Any] | None = None,
) -> None:
    """Add trials of random parameters, behind those that are there.

    They are complete with a noisy value and a rising curve; with an owner they are his running
    ones, half way.
    """
    study = search._study
    first = len(study.get_trials(deepcopy=False))
    generator = np.random.default_rng(first)
    sampler = optuna.samplers.RandomSampler(seed=first)
    now = datetime.now(UTC).replace(tzinfo=None)
    rows: dict[Any, list[dict[str, Any]]] = {
        model: []
        for model in (
            models.TrialModel, models.TrialParamModel, models.TrialValueModel,
            models.TrialIntermediateValueModel, models.TrialUserAttributeModel,
            models.TrialHeartbeatModel,
        )
    }  # fmt: skip
    trial_rows, param_rows, value_rows, step_rows, attribute_rows, beat_rows = rows.values()
    with Session(search._storage.engine) as session:
        last = session.execute(sqlalchemy.func.max(models.TrialModel.trial_id)).scalar() or 0
        for position in range(n):
            key = {"trial_id": last + position + 1}
            state = TrialState.COMPLETE if owner is None else TrialState.RUNNING
            trial_rows.append(
                key | {"number": first + position, "study_id": study._study_id, "state": state,
                       "datetime_start": now, "datetime_complete": None if owner else now}
            )  # fmt: skip
            params = {}
            for name, each in search.space.items():
                params[name] = sampler.sample_independent(study, None, name, each)  # type: ignore[arg-type]
                param_rows.append(
                    key | {"param_name": name, "param_value": each.to_internal_repr(params[name]),
                           "distribution_json": distribution_to_json(each)}
                )  # fmt: skip
            value = value_of(params) - 0.01 - abs(float(generator.normal(0, 0.01)))
            step_rows += [
                key | {"step": epoch, "intermediate_value": value * epoch / EPOCHS,
                       "intermediate_value_type": "FINITE"}
                for epoch in range(1, (EPOCHS if owner is None else EPOCHS // 2) + 1)
            ]  # fmt: skip
            if owner is None:
                value_rows.append(key | {"objective": 0, "value": value, "value_type": "FINITE"})
                scores = {"macro_f1": value, "accuracy": value, "n": 10}
                noted = {"best_epoch": EPOCHS, "validation": scores, "selection": scores,
                         "seconds": {"train": 1.0}, "weights": weights}  # fmt: skip
            else:
                beat_rows.append(key)
                noted = {"owner": dict(owner)}
            attribute_rows += [
                key | {"key": name, "value_json": json.dumps(content)}
                for name, content in noted.items()
            ]
        for model, content in rows.items():
            if content:
                session.execute(sqlalchemy.insert(model), content)
        if session.get_bind().dialect.name == "postgresql" and n:
            # The sequence does not hear of ids that are given.
            session.execute(
                sqlalchemy.text(
                    "SELECT setval(pg_get_serial_sequence('trials', 'trial_id'), :last)"
                ),
                {"last": last + n},
            )
        session.commit()
