"""Settings: what a study is made of, where they come from, and what identifies them."""

from tuner.config.identity import canonical_json, digest, settings_digest, settings_record
from tuner.config.loading import load_settings, shipped_studies
from tuner.config.settings import (
    DEFAULT_SPACE,
    METRIC_DIRECTIONS,
    METRIC_RANGES,
    AugmentationSettings,
    DataSettings,
    ExecutionSettings,
    FeatureSettings,
    ModelSettings,
    PreprocessSettings,
    PrunerSettings,
    RegularizationSettings,
    SamplerSettings,
    Settings,
    SpaceEntry,
    SplitSettings,
    StudySettings,
    TrainingSettings,
    WorkerSettings,
)
from tuner.config.trial_config import apply_params, setting_value
from tuner.nearest import did_you_mean

__all__ = [
    "DEFAULT_SPACE",
    "METRIC_DIRECTIONS",
    "METRIC_RANGES",
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
    "load_settings",
    "setting_value",
    "settings_digest",
    "settings_record",
    "shipped_studies",
]
