"""What makes a study in the storage the one that is meant: settings, data, named files."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
from pydantic import ValidationError

from tuner.config import Settings, digest, settings_digest, settings_record
from tuner.config.complaints import as_config_error
from tuner.errors import ConfigError
from tuner.models import digest_differences
from tuner.records import TrialSeeds

__all__ = [
    "differences",
    "named_contents",
    "stored_settings",
    "study_identity",
    "trial_identity",
    "write_or_compare",
]

_CONTENTS = "contents"
_MADE = "made"


def write_or_compare(
    study: optuna.Study, settings: Settings, fingerprint: str, contents: Mapping[str, str]
) -> None:
    """Write what identifies a study into a new one; compare it with what an existing one has.

    A study that was made before contents were kept takes those that are here.

    Parameters
    ----------
    contents
        Digests of what the settings name: `tuner.models.checkpoint_digests` and
        `tuner.config.file_digests`.

    Raises
    ------
    ConfigError
        If they differ, or the study was made by another program.
    """
    name, attributes = study.study_name, study.user_attrs
    record = settings_record(settings)
    # The digest comes last: a study that was cut off before it is written again.
    if "settings_digest" not in attributes:
        if study.get_trials(deepcopy=False):
            raise ConfigError(
                f"--study-name {name!r} is a study that tuner did not make; choose another name."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([settings.study.metric])
        study.set_user_attr("settings", record)
        study.set_user_attr("fingerprint", fingerprint)
        study.set_user_attr(_MADE, uuid.uuid4().hex)
        if contents:
            study.set_user_attr(_CONTENTS, dict(contents))
        study.set_user_attr("settings_digest", settings_digest(settings))
        return
    if attributes["fingerprint"] != fingerprint:
        raise ConfigError(
            f"--study-name {name!r} was made with other data: its fingerprint "
            f"is {attributes['fingerprint'][:12]}…, now it is {fingerprint[:12]}…."
        )
    if attributes["settings_digest"] != settings_digest(settings):
        found = differences(attributes["settings"], record)
        raise ConfigError(
            f"--study-name {name!r} was made with other settings: " + "; ".join(found[:5]) + "."
        )
    if contents and _CONTENTS not in attributes:
        study.set_user_attr(_CONTENTS, dict(contents))
        return
    found = digest_differences(named_contents(attributes), contents)
    if found:
        raise ConfigError(
            f"--study-name {name!r} was made with other files: {'; '.join(found)}; put the old "
            "ones back, or choose another --study-name."
        )


def study_identity(attributes: Mapping[str, Any]) -> str:
    """Tell a study from all others, also from one of its name that was deleted.

    One made before studies had a mark of their own is told by its settings.
    """
    return f"{attributes.get(_MADE, '')}:{attributes.get('settings_digest')}"


def trial_identity(study: str, params: Mapping[str, Any], seeds: TrialSeeds) -> str:
    """Give the digest of all that a trial's course follows from, 64 hexadecimal digits.

    `study` is the `study_identity` of its study.
    """
    return digest({"study": study, "parameters": dict(params), "seeds": asdict(seeds)})


def named_contents(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Give the digests that a study holds on to, as `write_or_compare` wrote them."""
    return dict(attributes.get(_CONTENTS, {}))


def stored_settings(name: str, attributes: Mapping[str, Any]) -> Settings:
    """Read the settings that a study was made with.

    Raises
    ------
    ConfigError
        If it was made by another program, or by a version of tuner whose settings mean something
        else here.
    """
    if "settings_digest" not in attributes:
        raise ConfigError(f"--study-name {name!r} is a study that tuner did not make.")
    try:
        settings = Settings.model_validate(attributes["settings"])
    except ValidationError as error:
        raise ConfigError(
            f"--study-name {name!r} was made by another version of tuner: {as_config_error(error)}"
        ) from error
    if settings_digest(settings) != attributes["settings_digest"]:
        found = differences(attributes["settings"], settings_record(settings))
        raise ConfigError(
            f"--study-name {name!r} was made by another version of tuner: "
            + ("; ".join(found[:5]) or "its settings have another digest here")
            + "."
        )
    return settings


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name every setting whose stored value is not the wanted one."""

    def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in tree.items():
            if isinstance(value, Mapping) and prefix.count(".") < 1:
                flat |= flatten(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = value
        return flat

    old, new = flatten(stored), flatten(wanted)
    return [
        f"{name} is {old.get(name)!r} there, {new.get(name)!r} here"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and name != "study.name"
    ]
