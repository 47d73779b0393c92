"""Read `study.toml` and overrides into settings, or say in one line what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from tuner.config.complaints import as_config_error
from tuner.config.search_settings import DEFAULT_SPACE
from tuner.config.settings import Settings
from tuner.config.trial_config import (
    SEARCHABLE_SECTIONS,
    apply_params,
    searchable_names,
    setting_value,
)
from tuner.errors import ConfigError
from tuner.nearest import did_you_mean

__all__ = ["find_study", "load_settings", "parse_override", "shipped_studies"]

STUDY_FILE = "study.toml"
_LISTS = ("model.kernel_sizes",)  # Optuna's choices are scalars


def _shipped_root() -> Path:
    # In a wheel the studies lie inside the package, in a checkout beside it.
    package = Path(__file__).resolve().parent.parent
    installed = package / "_studies"
    return installed if installed.is_dir() else package.parent / "studies"


def shipped_studies() -> tuple[str, ...]:
    """Name the studies that come with the product."""
    return tuple(sorted(path.parent.name for path in _shipped_root().glob(f"*/{STUDY_FILE}")))


def find_study(study: str) -> Path:
    """Find the folder of a study, given as a folder, as its `study.toml`, or as a shipped name.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    path = Path(study)
    if path.name == STUDY_FILE and path.is_file():
        return path.parent
    if (path / STUDY_FILE).is_file():
        return path
    name = path.name
    if name in shipped_studies() and study in (name, f"studies/{name}", f"studies/{name}/"):
        return _shipped_root() / name
    raise ConfigError(
        f"--study must be a folder with a {STUDY_FILE} or a shipped name; got {study!r}."
        f"{did_you_mean(name, shipped_studies())}"
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


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} must be UTF-8; byte {error.start} is not.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def _known_names() -> tuple[str, ...]:
    sections = Settings.model_fields
    names = [
        f"{section}.{field}"
        for section in sections
        if section != "space"
        for field in type(getattr(Settings(), section)).model_fields
    ]
    return (*names, *(f"space.{name}" for name in searchable_names()))


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    section, _, field = key.partition(".")
    if section == "space" and field:
        tree.setdefault("space", {})[field] = _space_entry(field, value)
        return
    if key not in _known_names():
        raise ConfigError(f"--set {key}: no such setting.{did_you_mean(key, _known_names())}")
    tree.setdefault(section, {})[field] = value


def _space_entry(name: str, value: Any) -> dict[str, Any] | None:
    """Check the outer form of an entry of the space; None for one that is taken out."""
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
                f"space.{name}.{bound} should be a number; got {_as_toml(value[bound])}."
            )
    if name in _LISTS:
        raise ConfigError(
            f"space.{name}: cannot be searched, since the setting is a list and a choice is one "
            f"value; fix it with {name}=[…]; got {value!r}."
        )
    return value


def _as_toml(value: bool) -> str:
    return "true" if value else "false"


def _check_sections(tree: Mapping[str, Any]) -> None:
    for name in Settings.model_fields:
        if name in tree and not isinstance(tree[name], dict):
            raise ConfigError(
                f"{name} must be a table, [{name}], since it is a section of settings; "
                f"got {tree[name]!r}."
            )


def _read_space(given: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten the space of a study file: quoted keys, dotted keys and tables are one thing."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        is_section = key in SEARCHABLE_SECTIONS and isinstance(value, dict)
        entries = {f"{key}.{field}": each for field, each in value.items()} if is_section else {}
        for name, entry in entries.items() if is_section else ((key, value),):
            if name in flat:
                raise ConfigError(f"space.{name} must be given once; it stands there twice.")
            flat[name] = _space_entry(name, entry)
    return flat


def _refuse_booleans(tree: Mapping[str, Any]) -> None:
    """Refuse true and false where a number is wanted: they would pass for 1 and 0."""
    for section, table in tree.items():
        if section == "space" or section not in Settings.model_fields:
            continue
        for field, value in table.items():
            if _is_boolean_for_number(f"{section}.{field}", value):
                values = value if isinstance(value, list) else [value]
                wrong = next(each for each in values if isinstance(each, bool))
                raise ConfigError(
                    f"{section}.{field} should be a number, not true or false; "
                    f"got {_as_toml(wrong)}."
                )


def _is_boolean_for_number(name: str, value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(each, bool) for each in values) and _is_number(_annotation(name))


def _annotation(name: str) -> Any:
    section, _, field = name.partition(".")
    fields = type(getattr(Settings(), section)).model_fields
    return fields[field].annotation if field in fields else None


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))


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
        Paths of data, dictionary and stop words given in a study file are resolved beside it.

    Raises
    ------
    ConfigError
        If a key is unknown or a value breaks its rule; the message names the nearest known key.
    """
    tree: dict[str, Any] = {}
    if study is not None:
        folder = find_study(str(study))
        tree = _read_toml(folder / STUDY_FILE)
        _check_sections(tree)
        # A study file adds to the default space; `"x" = "off"` takes a parameter out.
        tree["space"] = _read_space(tree.get("space", {}))
        _resolve_paths(tree, folder)
    fixed = []
    for key, value in overrides:
        _set(tree, key, value)
        if key in searchable_names():
            fixed.append(key)
        elif key.startswith("space."):
            fixed = [name for name in fixed if f"space.{name}" != key]
    if "model.backbone" not in tree.get("space", {}) and _wants_one_backbone(tree):
        fixed.append("model.backbone")
    _refuse_booleans(tree)
    default_space = {name: entry.model_dump() for name, entry in DEFAULT_SPACE.items()}
    merged = {**default_space, **tree.get("space", {})}
    tree["space"] = {
        name: entry for name, entry in merged.items() if entry is not None and name not in fixed
    }
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise as_config_error(error) from error
    _check_space(settings)
    return settings


def _wants_one_backbone(tree: Mapping[str, Any]) -> bool:
    """Say whether the choice of the default space is out of place.

    A backbone that a study names is the one it wants, unless its space says what else to try. The
    sampler cmaes knows ranges alone, and a grid holds what its study names.
    """
    sampler = tree.get("sampler", {}).get("name")
    return "backbone" in tree.get("model", {}) or sampler in ("cmaes", "grid")


def _resolve_paths(tree: dict[str, Any], folder: Path) -> None:
    """Find files that a study file names beside it."""
    for section, key in (
        ("data", "path"),
        ("data", "validation"),
        ("data", "test"),
        ("preprocess", "dictionary"),
        ("preprocess", "stop_words"),
        ("model", "checkpoint"),
        ("model", "vectors"),
    ):
        table = tree.get(section, {})
        if key in table:
            table[key] = _beside(folder, table[key])
        searched = tree["space"].get(f"{section}.{key}")
        if searched is not None and isinstance(searched.get("choices"), list):
            searched["choices"] = [_beside(folder, choice) for choice in searched["choices"]]


def _beside(folder: Path, value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    candidate = folder / value
    return str(candidate) if candidate.exists() else value


def _check_space(settings: Settings) -> None:
    """Try every bound of the space, so that a bad one is named before the first trial."""
    for name, entry in settings.space.items():
        setting_value(settings, name)
        values: Mapping[str, Any] = {"low": entry.low, "high": entry.high}
        bounds = (
            [(f"choices[{i}]", choice) for i, choice in enumerate(entry.choices)]
            if entry.choices is not None
            else [(key, value) for key, value in values.items() if value is not None]
        )
        for where, value in bounds:
            if _is_boolean_for_number(name, value):
                raise ConfigError(
                    f"space.{name}: {where} should be a number, not true or false; "
                    f"got {_as_toml(bool(value))}."
                )
            try:
                apply_params(settings, {name: value})
            except ConfigError as error:
                raise ConfigError(
                    f"space.{name}: {where} breaks the setting's rule: {error}"
                ) from error
