"""From sampled parameters to the settings of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tuner.config.complaints import as_config_error
from tuner.config.settings import Settings
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = [
    "SEARCHABLE_SECTIONS",
    "apply_params",
    "possible_values",
    "searchable_names",
    "setting_value",
]

SEARCHABLE_SECTIONS = (
    "preprocess",
    "features",
    "model",
    "training",
    "regularization",
    "augmentation",
)


def searchable_names() -> tuple[str, ...]:
    """Give the dotted names that a search space may hold."""
    return tuple(
        f"{section}.{field}"
        for section in SEARCHABLE_SECTIONS
        for field in type(getattr(Settings(), section)).model_fields
    )


def setting_value(settings: Settings, name: str) -> Any:
    """Read one setting by its dotted name.

    Raises
    ------
    ConfigError
        If there is no such setting.
    """
    section, _, field = name.partition(".")
    if name not in searchable_names():
        raise ConfigError(
            f"space.{name!r}: no such setting can be searched."
            f"{did_you_mean(name, searchable_names())}"
        )
    return getattr(getattr(settings, section), field)


def possible_values(settings: Settings, name: str) -> tuple[Any, ...]:
    """Give the values that trials can have of a setting: the choices where they are searched."""
    searched = settings.space.get(name)
    return (setting_value(settings, name),) if searched is None else tuple(searched.choices or ())


def apply_params(settings: Settings, params: Mapping[str, Any]) -> Settings:
    """Derive the settings of one trial.

    Parameters
    ----------
    settings
        The study's settings.
    params
        Dotted setting name to value.

    Returns
    -------
    Settings
        A new object; `settings` is untouched.

    Raises
    ------
    ConfigError
        If a name is unknown or a value breaks its setting's rule.

    >>> apply_params(Settings(), {"model.dropout": 0.5}).model.dropout
    0.5
    """
    tree = settings.model_dump(mode="python")
    for name, value in params.items():
        setting_value(settings, name)
        section, _, field = name.partition(".")
        tree[section][field] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise as_config_error(error) from error
