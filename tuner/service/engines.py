"""What starts the workers of a study: processes on this machine, or a Ray cluster."""

from __future__ import annotations

from typing import Literal

from tuner.errors import ConfigError
from tuner.search import mask, parse_url
from tuner.service.local_workers import LocalWorkers
from tuner.service.plan import StudyPlan
from tuner.service.ray_workers import RayWorkers
from tuner.service.watch import Workers

__all__ = ["Engine", "build_workers"]

Engine = Literal["local", "ray"]


def build_workers(
    plan: StudyPlan, n: int, *, engine: Engine, ray_address: str | None
) -> Workers | None:
    """Give the workers of a study, not started yet; None for this process alone.

    Parameters
    ----------
    n
        How many; 0 is none of the local engine, and one of Ray's.
    ray_address
        See `RayWorkers`.

    Raises
    ------
    ConfigError
        If the engine cannot be used here, or with this storage.
    """
    if engine == "local":
        if ray_address is not None:
            raise ConfigError(f"--ray-address goes with --engine ray; got {ray_address!r}.")
        if not n:
            return None
        return LocalWorkers(
            n,
            storage_url=plan.storage_url,
            study_name=plan.name,
            output=plan.output,
            execution=plan.settings.execution,
        )
    if parse_url(plan.storage_url).drivername == "sqlite":
        raise ConfigError(
            "--engine ray must have a postgresql:// storage, which every node reaches; got "
            f"{mask(plan.storage_url)}."
        )
    return RayWorkers(
        max(1, n),
        address=ray_address,
        resources=plan.settings.workers,
        execution=plan.settings.execution,
        storage_url=plan.storage_url,
        study_name=plan.name,
        output=plan.output,
    )
