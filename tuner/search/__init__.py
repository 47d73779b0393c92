"""The search: Optuna's samplers, pruners and storage behind our own words."""

from tuner.search.space import all_params, check_space
from tuner.search.storage import (
    cached_storage,
    close_storage,
    mask,
    open_storage,
    parse_url,
    storage_errors,
)
from tuner.search.study import Search, best_trial, count_trials, list_studies, read_trials

__all__ = [
    "Search",
    "all_params",
    "best_trial",
    "cached_storage",
    "check_space",
    "close_storage",
    "count_trials",
    "list_studies",
    "mask",
    "open_storage",
    "parse_url",
    "read_trials",
    "storage_errors",
]
