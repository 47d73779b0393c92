"""The search space as a person writes it: its outer form, and whether its bounds are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.config.booleans import as_toml, is_boolean_for_number
from tuner.config.settings import Settings
from tuner.config.trial_config import (
    SEARCHABLE_SECTIONS,
    apply_params,
    searchable_names,
    setting_value,
)
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = ["check_space", "read_space", "space_entry"]

_LISTS = ("model.kernel_sizes",)  # Optuna's choices are scalars


def read_space(given: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten the space of a study file: quoted keys, dotted keys and tables are one thing.

    Raises
    ------
    ConfigError
        If a name is given twice, or for what `space_entry` refuses.
    """
    flat: dict[str, Any] = {}
    for key, value in given.items():
        is_section = key in SEARCHABLE_SECTIONS and isinstance(value, dict)
        entries = {f"{key}.{field}": each for field, each in value.items()} if is_section else {}
        for name, entry in entries.items() if is_section else ((key, value),):
            if name in flat:
                raise ConfigError(f"space.{name} must be given once; it stands there twice.")
            flat[name] = space_entry(name, entry)
    return flat


def space_entry(name: str, value: Any) -> dict[str, Any] | None:
    """Check the outer form of an entry of the space; None for one that is taken out.

    Raises
    ------
    ConfigError
        If `name` cannot be searched, or `value` is neither a range, nor choices, nor off.
    """
    if name not in searchable_names():
        raise ConfigError(
            f"space.{name}: no such setting can be searched."
            f"{did_you_mean(name, searchable_names())}"
        )
    if value is False or (isinstance(value, str) and value in ("off", "none")):
        return None
    if not isinstance(value, dict):
        raise ConfigError(
            f"space.{name} must be a range such as {{low=0.0,high=0.5}}, {{choices=[…]}} or off; "
            f"got {value!r}."
        )
    for bound in ("low", "high", "step"):
        if isinstance(value.get(bound), bool):
            raise ConfigError(
                f"space.{name}.{bound} should be a number; got {as_toml(value[bound])}."
            )
    if name in _LISTS:
        raise ConfigError(
            f"space.{name}: cannot be searched, since the setting is a list and a choice is one "
            f"value; fix it with {name}=[…]; got {value!r}."
        )
    return value


def check_space(settings: Settings) -> None:
    """Try every bound of the space, so that a bad one is named before the first trial.

    Raises
    ------
    ConfigError
        If a bound or a choice breaks the rule of its setting.
    """
    for name, entry in settings.space.items():
        setting_value(settings, name)
        values: Mapping[str, Any] = {"low": entry.low, "high": entry.high}
        bounds = (
            [(f"choices[{i}]", choice) for i, choice in enumerate(entry.choices)]
            if entry.choices is not None
            else [(key, value) for key, value in values.items() if value is not None]
        )
        for where, value in bounds:
            if is_boolean_for_number(name, value):
                raise ConfigError(
                    f"space.{name}: {where} should be a number, not true or false; "
                    f"got {as_toml(bool(value))}."
                )
            try:
                apply_params(settings, {name: value})
            except ConfigError as error:
                raise ConfigError(
                    f"space.{name}: {where} breaks the setting's rule: {error}"
                ) from error
