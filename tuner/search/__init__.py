"""The search: Optuna's samplers, pruners and storage behind our own words."""

from tuner.search.artifacts import artifact_store
from tuner.search.checking import Flaw, check_storage
from tuner.search.copying import CopiedStudy, copy_studies
from tuner.search.edges import EdgeWarning, edge_warnings
from tuner.search.endurance import Endurance
from tuner.search.failures import check_failures
from tuner.search.importance import parameter_importances
from tuner.search.objective import check_finite, trial_seeds
from tuner.search.pruner import why_none_pruned
from tuner.search.ranking import best_trial, default_trial, top_trials
from tuner.search.reading import (
    count_trials,
    list_studies,
    open_studies,
    read_trials,
)
from tuner.search.sampler import check_sampler
from tuner.search.space import (
    all_params,
    all_preprocess_choices,
    check_space,
    distributions,
    first_settings,
)
from tuner.search.stopping import is_flat
from tuner.search.storage import (
    cached_storage,
    close_storage,
    open_storage,
    probe_storage,
    storage_errors,
)
from tuner.search.study import EndsEarly, Search
from tuner.search.terms import BlobPlace, StudyTerms, parts_key
from tuner.search.urls import default_url, mask, parse_url

__all__ = [
    "BlobPlace",
    "CopiedStudy",
    "EdgeWarning",
    "EndsEarly",
    "Endurance",
    "Flaw",
    "Search",
    "StudyTerms",
    "all_params",
    "all_preprocess_choices",
    "artifact_store",
    "best_trial",
    "cached_storage",
    "check_failures",
    "check_finite",
    "check_sampler",
    "check_space",
    "check_storage",
    "close_storage",
    "copy_studies",
    "count_trials",
    "default_trial",
    "default_url",
    "distributions",
    "edge_warnings",
    "first_settings",
    "is_flat",
    "list_studies",
    "mask",
    "open_storage",
    "open_studies",
    "parameter_importances",
    "parse_url",
    "parts_key",
    "probe_storage",
    "read_trials",
    "storage_errors",
    "top_trials",
    "trial_seeds",
    "why_none_pruned",
]
