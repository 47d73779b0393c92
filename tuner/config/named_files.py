"""Files and folders that settings name: by whole paths, and by what is in them."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tuner.config.identity import file_digest
from tuner.config.settings import Settings
from tuner.config.trial_config import apply_params, possible_values, setting_value
from tuner.errors import ConfigError

__all__ = [
    "FILE_SETTINGS",
    "NAMED",
    "SHIPPED_STOP_WORDS",
    "file_digests",
    "name_whole_paths",
    "rewrite_paths",
    "with_files_here",
]

SHIPPED_STOP_WORDS = ("none", "zh", "en", "zh+en")
FILE_SETTINGS: dict[str, tuple[str, ...]] = {
    "preprocess.dictionary": (),
    "preprocess.stop_words": SHIPPED_STOP_WORDS,
    "model.vectors": ("none",),
}
"""Settings that name a file, and the values that are no file's name, whatever lies beside."""
NAMED = (*FILE_SETTINGS, "model.checkpoint")


def name_whole_paths(tree: dict[str, Any]) -> None:
    """Write word lists, vectors and checkpoints as absolute paths, in place; choices of them too.

    Workers and predictions run in other folders than the one where the name was typed. What is not
    there may be the name of a shipped list or of a preset, and stays as it is.

    Parameters
    ----------
    tree
        Settings before they are checked; `tree["space"]` is flat.
    """
    rewrite_paths(tree, NAMED, _whole)


def rewrite_paths(
    tree: dict[str, Any], names: Iterable[str], rewrite: Callable[[str, str], str]
) -> None:
    """Write the paths of some settings anew, in place; choices of them too.

    Parameters
    ----------
    tree
        Settings before they are checked; `tree["space"]` is flat.
    rewrite
        Maps the name of a setting and a value to the new value; not asked for a value that is no
        name of a file.
    """

    def new(name: str, value: Any) -> Any:
        is_path = isinstance(value, str) and value and value not in FILE_SETTINGS.get(name, ())
        return rewrite(name, value) if is_path else value

    for name in names:
        section, _, key = name.partition(".")
        table = tree.get(section, {})
        if key in table:
            table[key] = new(name, table[key])
        searched = tree["space"].get(name)
        if searched is not None and isinstance(searched.get("choices"), list):
            searched["choices"] = [new(name, choice) for choice in searched["choices"]]


def file_digests(settings: Settings) -> dict[str, str]:
    """Give the digest of every word list and file of vectors that a study can use.

    Returns
    -------
    dict
        SHA-256 in hexadecimal by the setting that names the file, such as
        ``preprocess.dictionary=/lists/terms.txt``; without those that are not there.

    Raises
    ------
    ConfigError
        If one cannot be read.
    """
    digests = {}
    for name, words in FILE_SETTINGS.items():
        for value in possible_values(settings, name):
            if value is not None and value not in words and Path(str(value)).is_file():
                digests[f"{name}={value}"] = _digest(name, Path(str(value)))
    return digests


def with_files_here(settings: Settings, here: Mapping[str, str]) -> Settings:
    """Give the settings with the paths of files that lie elsewhere on this machine.

    Parameters
    ----------
    here
        The path here by the path that the settings name.
    """
    if not here:
        return settings
    values = {name: setting_value(settings, name) for name in FILE_SETTINGS}
    return apply_params(settings, {n: here[v] for n, v in values.items() if v in here})


def _digest(name: str, path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read: {error.strerror}.") from error


def _whole(name: str, value: str) -> str:
    # Links stay as they were named: on another machine they may lead elsewhere.
    path = os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111
    is_there = os.path.isfile(path) if name in FILE_SETTINGS else os.path.isdir(path)  # noqa: PTH112, PTH113
    return path if is_there else value
