"""Sections of how trials are run, which are no part of a study's identity: workers, execution."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from tuner.config.section import Section
from tuner.records import WEIGHTS_KEPT

__all__ = [
    "ExecutionSettings",
    "WorkerSettings",
]


class WorkerSettings(Section):
    """What running takes of a node and of the disk; no part of a study's identity."""

    cpus: Annotated[float, Field(gt=0.0)] = 1.0
    """Cores, and threads of a trial."""
    gpus: Annotated[float, Field(ge=0.0)] = 0.0
    memory_gb: Annotated[float, Field(gt=0.0)] | None = None
    """In 10^9 bytes; none reserves nothing."""
    weights_kept: Annotated[int, Field(ge=1, le=WEIGHTS_KEPT)] = WEIGHTS_KEPT
    """Best trials whose weights stay on the disk; those of trial 0 stay too."""


class ExecutionSettings(Section):
    """How a process runs its trials; no part of a study's identity."""

    isolate: bool = False
    """Run them in a guarded child process, whose death does not end the study."""
    trial_seconds: Annotated[float, Field(gt=0.0)] | None = None
    """Time of one attempt at a trial, compilation included; one that takes longer has failed."""
    trial_memory_gb: Annotated[float, Field(gt=0.0)] | None = None
    """Memory of the child in 10^9 bytes; not what it maps from files, the cache and libraries."""

    @model_validator(mode="after")
    def _guard_what_is_limited(self) -> ExecutionSettings:
        for name in ("trial_seconds", "trial_memory_gb"):
            limit = getattr(self, name)
            if limit is not None and not self.isolate:
                raise ValueError(
                    f"`{name}` needs `isolate` (--isolate), since only a process apart can be "
                    f"ended; got {limit:g} without it"
                )
        return self
