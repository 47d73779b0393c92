"""Say in one line what is wrong with a setting."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tuner.config.settings import Settings
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = ["as_config_error"]


# How pydantic names the members of a union, and what a person would call them.
_MEMBERS = {"bool": "true or false", "int": "a number", "float": "a number", "str": "a text"}


def as_config_error(error: ValidationError) -> ConfigError:
    """Turn pydantic's first complaint into one line: setting, rule, what came in."""
    problems = error.errors()
    problem = problems[0]
    location = [str(part) for part in problem["loc"]]
    if len(location) > 2 and location[-1] in _MEMBERS:
        return _none_of_a_union(problems, location[:-1])
    name = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return ConfigError(f"{name}: no such setting.{did_you_mean(name, _siblings(location))}")
    expected = problem.get("ctx", {}).get("expected")
    if isinstance(expected, str) and isinstance(problem["input"], str):
        rule = problem["msg"].removeprefix("Input ").rstrip(".")
        nearest = did_you_mean(problem["input"], re.findall(r"'([^']+)'", expected))
        hint = nearest if "Did you mean" in nearest else ""
        return ConfigError(f"{name} {rule}; got {problem['input']!r}.{hint}")
    rule = problem["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    rule = rule.replace("a valid tuple", "a list")
    if problem["type"] == "value_error":
        return ConfigError(f"{name}: {rule}.")
    return ConfigError(f"{name} {rule}; got {problem['input']!r}.")


def _none_of_a_union(problems: list[ErrorDetails], place: list[str]) -> ConfigError:
    """Say once what each member of a union says of the same value."""
    members = [
        _MEMBERS[str(problem["loc"][-1])]
        for problem in problems
        if [str(part) for part in problem["loc"][:-1]] == place and problem["loc"][-1] in _MEMBERS
    ]
    wanted = " or ".join(reversed(list(dict.fromkeys(members))))
    return ConfigError(f"{'.'.join(place)} should be {wanted}; got {problems[0]['input']!r}.")


def _siblings(location: list[str]) -> list[str]:
    fields: Mapping[str, Any] = Settings.model_fields
    prefix = ""
    for part in location[:-1]:
        annotation = fields[part].annotation if part in fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        fields = annotation.model_fields
        prefix += f"{part}."
    return [f"{prefix}{field}" for field in fields]
