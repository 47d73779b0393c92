"""What a guarded child is told so that it can run trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tuner.persist import Cache
from tuner.pipeline import Pipeline, StudyTrials
from tuner.records import SearchParts, TrialOutcome

__all__ = ["PipelineRecipe", "Recipe"]


class Recipe(Protocol):
    """Travels to the child and is made there; it has to be picklable."""

    def make(self) -> Callable[..., TrialOutcome]:
        """Give what runs a configuration, with the arguments of `StudyTrials.run_trial`."""


@dataclass(frozen=True, slots=True)
class PipelineRecipe:
    """The pipeline of a study.

    Parameters
    ----------
    parts
        The open parts; the sealed test has no way into the child either.
    cache
        Folder of tokens and features, shared with all other processes.
    processes
        For cleaning and segmentation.
    checkpoints
        Digests that pretrained checkpoints must have, see `tuner.models.checkpoint_digests`.
    files
        Where files that the settings name lie here, by their path there.
    """

    parts: SearchParts
    cache: Path
    processes: int
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def make(self) -> Callable[..., TrialOutcome]:
        """Build the pipeline, and load what its first trial would load otherwise."""
        import tuner.training  # noqa: F401 - takes seconds, which are no trial's

        pipeline = Pipeline(
            self.parts,
            Cache(self.cache),
            processes=self.processes,
            checkpoints=self.checkpoints,
        )
        return StudyTrials(pipeline, files=self.files).run_trial
