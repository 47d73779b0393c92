"""All settings of a study; the sections and their defaults stand in the files beside this one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuner.config.running_settings import ExecutionSettings, WorkerSettings
from tuner.config.search_settings import (
    DEFAULT_SPACE,
    PrunerSettings,
    SamplerSettings,
    SpaceEntry,
    StudySettings,
)
from tuner.config.section import Section
from tuner.config.text_settings import (
    DataSettings,
    FeatureSettings,
    PreprocessSettings,
    SplitSettings,
)
from tuner.config.trial_settings import (
    AugmentationSettings,
    ModelSettings,
    RegularizationSettings,
    TrainingSettings,
)
from tuner.metrics import METRICS

__all__ = ["Settings"]


class Settings(Section):
    """All settings of a study, frozen."""

    study: StudySettings = StudySettings()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    features: FeatureSettings = FeatureSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    regularization: RegularizationSettings = RegularizationSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    sampler: SamplerSettings = SamplerSettings()
    pruner: PrunerSettings = PrunerSettings()
    execution: ExecutionSettings = ExecutionSettings()
    workers: WorkerSettings = WorkerSettings()
    space: dict[str, SpaceEntry] = Field(default_factory=lambda: dict(DEFAULT_SPACE))

    @property
    def epochs_max(self) -> int:
        """Epochs of a whole trial, both phases."""
        return self.training.epochs + self.training.fine_tune_epochs

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Direction of the objective."""
        return METRICS[self.study.metric].direction
