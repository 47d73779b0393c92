"""Settings: what a study is made of, where they come from, and what identifies them."""

from tuner.config.identity import (
    canonical_json,
    digest,
    file_digest,
    settings_digest,
    settings_record,
)
from tuner.config.loading import load_settings
from tuner.config.named_files import (
    FILE_SETTINGS,
    SHIPPED_STOP_WORDS,
    file_digests,
    with_files_here,
)
from tuner.config.running_settings import ExecutionSettings, WorkerSettings
from tuner.config.search_settings import (
    DEFAULT_SPACE,
    PrunerSettings,
    SamplerSettings,
    SpaceEntry,
    StudySettings,
)
from tuner.config.settings import Settings
from tuner.config.study_folder import shipped_studies
from tuner.config.text_settings import (
    DataSettings,
    FeatureSettings,
    PreprocessSettings,
    SplitSettings,
)
from tuner.config.trial_config import (
    apply_params,
    number_type,
    possible_values,
    searchable_names,
    setting_value,
)
from tuner.config.trial_settings import (
    AugmentationSettings,
    ModelSettings,
    RegularizationSettings,
    TrainingSettings,
)
from tuner.nearest import did_you_mean

__all__ = [
    "DEFAULT_SPACE",
    "FILE_SETTINGS",
    "SHIPPED_STOP_WORDS",
    "AugmentationSettings",
    "DataSettings",
    "ExecutionSettings",
    "FeatureSettings",
    "ModelSettings",
    "PreprocessSettings",
    "PrunerSettings",
    "RegularizationSettings",
    "SamplerSettings",
    "Settings",
    "SpaceEntry",
    "SplitSettings",
    "StudySettings",
    "TrainingSettings",
    "WorkerSettings",
    "apply_params",
    "canonical_json",
    "did_you_mean",
    "digest",
    "file_digest",
    "file_digests",
    "load_settings",
    "number_type",
    "possible_values",
    "searchable_names",
    "setting_value",
    "settings_digest",
    "settings_record",
    "shipped_studies",
    "with_files_here",
]
