"""From sampled parameters to the settings of one trial."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from tuner.config.complaints import as_config_error
from tuner.config.settings import Settings
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = [
    "SEARCHABLE_SECTIONS",
    "apply_params",
    "number_type",
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
    section, field = _section_and_field(name)
    return getattr(getattr(settings, section), field)


def number_type(name: str) -> type[int] | type[float] | None:
    """Give what numbers a searchable setting takes: whole ones, any, or None for no numbers.

    A setting that may be None besides counts by its numbers; one that may be a word does not.

    Raises
    ------
    ConfigError
        If there is no such setting.

    >>> number_type("training.batch_size"), number_type("model.pooling")
    (<class 'int'>, None)
    """
    section, field = _section_and_field(name)
    types = _types(type(getattr(Settings(), section)).model_fields[field].annotation) - {NoneType}
    if types == {int}:
        return int
    return float if types and types <= {int, float} else None


def _section_and_field(name: str) -> tuple[str, str]:
    section, _, field = name.partition(".")
    if name not in searchable_names():
        raise ConfigError(
            f"space.{name!r}: no such setting can be searched."
            f"{did_you_mean(name, searchable_names())}"
        )
    return section, field


def _types(annotation: Any) -> set[Any]:
    """Give the types that an annotation allows, without what it says of them."""
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(_types, get_args(annotation)))
    return {annotation}


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
        section, field = _section_and_field(name)
        tree[section][field] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise as_config_error(error) from error
