"""True and false where a number is wanted: they would pass for 1 and 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from tuner.config.settings import Settings
from tuner.errors import ConfigError

__all__ = ["as_toml", "is_boolean_for_number", "refuse_booleans"]


def refuse_booleans(tree: Mapping[str, Any]) -> None:
    """Refuse them in the sections of settings; the space has `check_space`.

    Raises
    ------
    ConfigError
        If a setting that is a number is given one.
    """
    for section, table in tree.items():
        if section == "space" or section not in Settings.model_fields:
            continue
        for field, value in table.items():
            if is_boolean_for_number(f"{section}.{field}", value):
                values = value if isinstance(value, list) else [value]
                wrong = next(each for each in values if isinstance(each, bool))
                raise ConfigError(
                    f"{section}.{field} should be a number, not true or false; "
                    f"got {as_toml(wrong)}."
                )


def is_boolean_for_number(name: str, value: Any) -> bool:
    """Say whether a value of the setting `name`, or one in a list of them, is such a boolean."""
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(each, bool) for each in values) and _is_number(_annotation(name))


def as_toml(value: bool) -> str:
    """Spell a boolean as a study file does."""
    return "true" if value else "false"


def _annotation(name: str) -> Any:
    section, _, field = name.partition(".")
    fields = type(getattr(Settings(), section)).model_fields
    return fields[field].annotation if field in fields else None


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))
