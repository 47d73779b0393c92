"""What is settled before a study runs: its data, its name, and where everything goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuner.config import Settings, digest, settings_digest
from tuner.errors import ConfigError
from tuner.persist import open_manifest, read_parts
from tuner.search import default_url, parse_url, probe_storage
from tuner.service.check_settings import check_settings
from tuner.service.collect import (
    Collected,
    Sources,
    read_sources,
    split_digest,
    split_sources,
)
from tuner.service.shared_parts import parts_digest
from tuner.service.study_name import check_study_name

__all__ = ["StudyPlan", "plan_study"]


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study about to run: resolved settings, its name and where everything goes.

    `collected` is None where an earlier run has split the data already.
    """

    settings: Settings
    sources: Sources
    collected: Collected | None
    name: str
    storage_url: str
    output: Path

    @property
    def folder(self) -> Path:
        """Run directory."""
        return self.output / self.name


def plan_study(
    settings: Settings,
    *,
    storage_url: str | None,
    output: Path,
    study_name: str | None,
    storage_wait_seconds: float = 0.0,
) -> StudyPlan:
    """Read, check and split the data, settle the study's name and places; nothing is written.

    Parameters
    ----------
    storage_url
        None for `tuner.search.default_url(output)`.
    study_name
        None for the settings' name and 8 digits of the digest of data and settings.
    storage_wait_seconds
        How long a database that is away is waited for.

    Raises
    ------
    ConfigError, DataError
        If settings, URL or data cannot be used.
    StorageError
        If the storage cannot be used, or stays away.
    """
    url = default_url(output) if storage_url is None else storage_url
    parse_url(url)
    probe_storage(url, wait_seconds=storage_wait_seconds)
    sources = read_sources(settings)
    # A folder of `tuner collect` split otherwise is another study, though it has the same rows.
    split = [sources.split] if sources.split else []
    identity = digest([sources.fingerprint, settings_digest(settings), *split])
    name = study_name or f"{settings.study.name}-{identity[:8]}"
    check_study_name(name)
    check_settings(settings)
    is_split = _is_split(output / name, name, sources, settings)
    collected = None if is_split else split_sources(sources, settings)
    return StudyPlan(settings, sources, collected, name, url, output)


def _is_split(folder: Path, name: str, sources: Sources, settings: Settings) -> bool:
    """Say whether an earlier run has split these data with these settings."""
    manifest = open_manifest(folder)
    if manifest is None:
        return False
    origin = manifest["origin"]
    if manifest["fingerprint"] != sources.fingerprint:
        raise ConfigError(
            f"--study-name {name!r}: {folder} holds a study of other data (fingerprint "
            f"{manifest['fingerprint'][:12]}…, now {sources.fingerprint[:12]}…); choose "
            "another --study-name or --output."
        )
    if sources.ready is None and origin["split_digest"] != split_digest(settings):
        raise ConfigError(
            f"--study-name {name!r}: {folder} was split with other settings "
            f"({origin['split']}); choose another --study-name or --output."
        )
    if sources.ready is not None and sources.split != parts_digest(read_parts(folder)):
        raise ConfigError(
            f"--study-name {name!r}: {folder} holds a study of another split of these rows than "
            f"{sources.ready}; choose another --study-name or --output."
        )
    return True
