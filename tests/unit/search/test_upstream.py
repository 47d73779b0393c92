"""What we rely on in Optuna's private parts: fails when an upgrade changes it."""

from __future__ import annotations

import inspect
import re

import pytest
from optuna.pruners import HyperbandPruner
from optuna.storages import BaseStorage, RDBStorage, _cached_storage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session

from tuner.search.enduring import OPERATIONS, EnduringStorage

WITHOUT_DATABASE = {
    "check_trial_is_updatable",
    "get_heartbeat_interval",
    "get_heartbeat_stale_trial_callback",
    "get_failed_trial_callback",
    "remove_session",
}
REPLACED = {"_get_trials", "record_heartbeat"}  # by methods of our own that endure
SIGNATURES = {
    RDBStorage._get_prepared_new_trial: ["self", "study_id", "template_trial", "session"],
    RDBStorage._set_trial_attr_without_commit: [
        "self", "session", "model_cls", "trial_id", "key", "value",
    ],
    RDBStorage._set_trial_value_without_commit: ["self", "session", "trial", "objective", "value"],
    RDBStorage._build_frozen_trial_from_trial_model: ["self", "trial"],
    RDBStorage._set_trial_param: [
        "self", "trial_id", "param_name", "param_value_internal", "distribution",
        "previous_distribution",
    ],
    RDBStorage.set_trial_intermediate_value: ["self", "trial_id", "step", "intermediate_value"],
    RDBStorage.set_trial_system_attr: ["self", "trial_id", "key", "value"],
    RDBStorage.record_heartbeat: ["self", "trial_id"],
    RDBStorage._get_trials: [
        "self", "study_id", "states", "included_trial_ids", "trial_id_greater_than",
    ],
    HyperbandPruner._get_bracket_id: ["self", "study", "trial"],
    _create_scoped_session: ["scoped_session", "ignore_integrity_error"],
}  # fmt: skip
COLUMNS = {
    models.TrialModel: {"trial_id", "number", "study_id", "state", "datetime_start",
                        "datetime_complete"},
    models.TrialUserAttributeModel: {"trial_id", "key", "value_json"},
    models.TrialSystemAttributeModel: {"trial_id", "key", "value_json"},
    models.TrialIntermediateValueModel: {"trial_id", "step", "intermediate_value",
                                         "intermediate_value_type"},
    models.TrialParamModel: {"trial_id", "param_name", "param_value", "distribution_json"},
    models.StudyUserAttributeModel: {"study_id", "key", "value_json"},
    models.TrialHeartbeatModel: {"trial_id", "heartbeat"},
}  # fmt: skip


def test_every_operation_of_the_storage_endures():
    public = {
        name for name, member in inspect.getmembers(BaseStorage, inspect.isfunction)
        if not name.startswith("_")
    }  # fmt: skip
    used_by_cache = set(re.findall(r"_backend\.(\w+)\(", inspect.getsource(_cached_storage)))

    assert used_by_cache
    assert public | used_by_cache >= REPLACED
    assert (public | used_by_cache) - WITHOUT_DATABASE - REPLACED <= set(OPERATIONS)
    assert vars(EnduringStorage).keys() >= REPLACED
    for name in OPERATIONS:
        assert getattr(EnduringStorage, name).__wrapped__ is getattr(RDBStorage, name)


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__qualname__)
def test_private_function_has_the_signature_we_call(function):
    assert list(inspect.signature(function).parameters) == SIGNATURES[function]


@pytest.mark.parametrize("model", COLUMNS, ids=lambda model: model.__name__)
def test_table_has_the_columns_we_read_and_write(model):
    assert set(model.__table__.columns.keys()) >= COLUMNS[model]
