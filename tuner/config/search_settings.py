"""Sections of the search: study, sampler, pruner, space."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from tuner.config.section import Scalar, Section
from tuner.metrics import METRICS

__all__ = [
    "DEFAULT_SPACE",
    "PrunerSettings",
    "SamplerSettings",
    "SpaceEntry",
    "StudySettings",
]


def _known_metric(name: str) -> str:
    if name not in METRICS:
        expected = " or ".join(f"'{known}'" for known in METRICS)
        raise PydanticCustomError(
            "literal_error", "Input should be {expected}", {"expected": expected}
        )
    return name


class StudySettings(Section):
    """What the study is called, seeded with and judged by."""

    name: Annotated[str, Field(pattern=r"^[\w\-.]+$", min_length=1, max_length=200)] = "study"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    metric: Annotated[str, AfterValidator(_known_metric)] = "macro_f1"
    """Objective, one of `tuner.metrics.METRICS`."""


class SamplerSettings(Section):
    """Who proposes configurations."""

    name: Literal["tpe", "random", "gp", "cmaes", "qmc", "grid"] = "tpe"
    startup_trials: Annotated[int, Field(ge=1)] = 10
    """`tpe`, `gp`, `cmaes`: random trials before the model."""


class PrunerSettings(Section):
    """Who stops poor trials; resources are in epochs."""

    name: Literal["predictive", "median", "asha", "hyperband", "none"] = "predictive"
    startup_trials: Annotated[int, Field(ge=0)] = 8
    """`predictive`, `median`: complete trials before anything is pruned."""
    chance: Annotated[float, Field(gt=0.0, le=0.5)] = 0.002
    """`predictive`: a trial may end when its chance to be among the best `top` falls below it."""
    loss: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02
    """`predictive`: share of the best `top` that all pruning together may be expected to cost."""
    top: Annotated[int, Field(ge=1)] = 5
    """`predictive`: complete trials that count as the best; the confirmation takes five."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 3
    """`median`: epochs a trial is left alone."""
    min_resource: Annotated[int, Field(ge=1)] = 2
    """`asha`, `hyperband`: epochs before the first rung."""
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    """`asha`, `hyperband`: each rung keeps 1 in that many."""


class SpaceEntry(Section):
    """One searched setting: a range, or choices."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _be_a_range_or_choices(self) -> SpaceEntry:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("`choices` stands alone, without low, high, step or log")
            if not self.choices:
                raise ValueError("`choices` needs at least one value")
            if len({(type(choice), choice) for choice in self.choices}) != len(self.choices):
                raise ValueError("`choices` has a value twice")
            return self
        if self.low is None:
            raise ValueError("either `choices` or `low` and `high` must be given")
        if self.high is not None and self.high < self.low:
            raise ValueError(f"`high` must not be below `low`; got {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`low` must be above 0 on a log scale; got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("`step` and `log` exclude each other")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"`step` must be above 0; got {self.step}")
        return self


DEFAULT_SPACE: dict[str, SpaceEntry] = {
    # Which of the two wins depends on the table: few rows and many classes favour `linear`.
    "model.backbone": SpaceEntry(choices=("average", "linear")),
    "training.learning_rate": SpaceEntry(low=5e-4, high=3e-2, log=True),
    "training.fine_tune_scale": SpaceEntry(low=0.03, high=1.0, log=True),
    "training.encoder_learning_rate": SpaceEntry(low=1e-5, high=3e-4, log=True),
    # Ten times as much unlearns tables with many classes: an embedding row's gradient is small.
    "regularization.l1": SpaceEntry(low=1e-8, high=1e-5, log=True),
    "regularization.l2": SpaceEntry(low=1e-8, high=1e-4, log=True),
    "model.dropout": SpaceEntry(low=0.0, high=0.7),
    "model.token_dropout": SpaceEntry(low=0.0, high=0.7),
    "model.pooling_power": SpaceEntry(low=0.0, high=0.5),
    # No `high`: the number of groups below the head, which the backbone knows.
    "model.frozen_depth": SpaceEntry(low=0),
}
