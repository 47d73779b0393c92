"""Read `study.toml` and overrides into settings, or say in one line what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuner.config.booleans import refuse_booleans
from tuner.config.complaints import as_config_error
from tuner.config.given_space import check_space, read_space, space_entry
from tuner.config.named_files import name_whole_paths
from tuner.config.search_settings import DEFAULT_SPACE
from tuner.config.settings import Settings
from tuner.config.study_folder import find_study, read_study_file, resolve_paths
from tuner.config.trial_config import searchable_names
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = ["load_settings", "parse_override"]


def load_settings(
    study: str | Path | None = None, *, overrides: Iterable[tuple[str, Any]] = ()
) -> Settings:
    """Resolve the settings of a study: defaults, then its file, then overrides.

    Parameters
    ----------
    study
        Folder, `study.toml`, or shipped name; None for the defaults alone.
    overrides
        Dotted name and value, later ones win. A searched setting that is overridden is fixed:
        it leaves the search space, and so does a backbone that the study's file names.
        ``space.NAME`` takes a range or ``off``.

    Returns
    -------
    Settings
        Paths of data, word lists, vectors and checkpoints given in a study file are resolved
        beside it. All but those of data are absolute, wherever they were given.

    Raises
    ------
    ConfigError
        If a key is unknown or a value breaks its rule; the message names the nearest known key.
    """
    tree: dict[str, Any] = {}
    if study is not None:
        folder = find_study(str(study))
        tree = read_study_file(folder)
        _check_sections(tree)
        # A study file adds to the default space; `"x" = "off"` takes a parameter out.
        tree["space"] = read_space(tree.get("space", {}))
        resolve_paths(tree, folder)
    fixed = []
    for key, value in overrides:
        _set(tree, key, value)
        if key in searchable_names():
            fixed.append(key)
        elif key.startswith("space."):
            fixed = [name for name in fixed if f"space.{name}" != key]
    if "model.backbone" not in tree.get("space", {}) and _wants_one_backbone(tree):
        fixed.append("model.backbone")
    refuse_booleans(tree)
    default_space = {name: entry.model_dump() for name, entry in DEFAULT_SPACE.items()}
    merged = {**default_space, **tree.get("space", {})}
    tree["space"] = {
        name: entry for name, entry in merged.items() if entry is not None and name not in fixed
    }
    name_whole_paths(tree)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise as_config_error(error) from error
    check_space(settings)
    return settings


def _wants_one_backbone(tree: Mapping[str, Any]) -> bool:
    """Say whether the choice of the default space is out of place.

    A backbone that a study names is the one it wants, unless its space says what else to try. The
    sampler cmaes knows ranges alone, and a grid holds what its study names.
    """
    sampler = tree.get("sampler", {}).get("name")
    return "backbone" in tree.get("model", {}) or sampler in ("cmaes", "grid")


def _check_sections(tree: Mapping[str, Any]) -> None:
    for name in Settings.model_fields:
        if name in tree and not isinstance(tree[name], dict):
            raise ConfigError(
                f"{name} must be a table, [{name}], since it is a section of settings; "
                f"got {tree[name]!r}."
            )


def parse_override(text: str) -> tuple[str, Any]:
    """Split `KEY=VALUE` and read the value as TOML, or as a plain string where it is none.

    Raises
    ------
    ConfigError
        If there is no `=` or no key.

    >>> parse_override("model.dropout=0.5")
    ('model.dropout', 0.5)
    >>> parse_override("preprocess.segmenter=words")
    ('preprocess.segmenter', 'words')
    """
    key, separator, raw = text.partition("=")
    key = key.strip()
    if not separator or not key:
        raise ConfigError(f"--set must be KEY=VALUE, such as model.dropout=0.5; got {text!r}.")
    try:
        return key, tomllib.loads(f"value = {raw.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return key, raw.strip()


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    section, _, field = key.partition(".")
    if section == "space" and field:
        tree.setdefault("space", {})[field] = space_entry(field, value)
        return
    if key not in _known_names():
        raise ConfigError(f"--set {key}: no such setting.{did_you_mean(key, _known_names())}")
    tree.setdefault(section, {})[field] = value


def _known_names() -> tuple[str, ...]:
    sections = Settings.model_fields
    names = [
        f"{section}.{field}"
        for section in sections
        if section != "space"
        for field in type(getattr(Settings(), section)).model_fields
    ]
    return (*names, *(f"space.{name}" for name in searchable_names()))
