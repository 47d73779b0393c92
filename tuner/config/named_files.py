"""Files and folders that settings name: by whole paths, and by what is in them."""

from __future__ import annotations

import hashlib
import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import ConfigError

if TYPE_CHECKING:
    from tuner.config.settings import Settings

__all__ = ["NO_FILES", "SHIPPED_STOP_WORDS", "file_digests", "name_whole_paths"]

SHIPPED_STOP_WORDS = ("none", "zh", "en", "zh+en")
NO_FILES: dict[str, tuple[str, ...]] = {
    "preprocess.dictionary": (),
    "preprocess.stop_words": SHIPPED_STOP_WORDS,
    "model.vectors": ("none",),
}
"""Settings that name a file, and the values that are no file's name, whatever lies beside."""


def name_whole_paths(tree: dict[str, Any]) -> None:
    """Write word lists, vectors and checkpoints as absolute paths, in place; choices of them too.

    Workers and predictions run in other folders than the one where the name was typed. What is not
    there may be the name of a shipped list or of a preset, and stays as it is.

    Parameters
    ----------
    tree
        Settings before they are checked; `tree["space"]` is flat.
    """
    for name in (*NO_FILES, "model.checkpoint"):
        section, _, key = name.partition(".")
        table = tree.get(section, {})
        if key in table:
            table[key] = _whole(name, table[key])
        searched = tree["space"].get(name)
        if searched is not None and isinstance(searched.get("choices"), list):
            searched["choices"] = [_whole(name, choice) for choice in searched["choices"]]


def file_digests(settings: Settings) -> dict[str, str]:
    """Give the digest of every word list and file of vectors that a study can use.

    Returns
    -------
    dict
        SHA-256 in hexadecimal by the setting that names the file, such as
        ``preprocess.dictionary=/lists/terms.txt``.

    Raises
    ------
    ConfigError
        If one is not there or cannot be read.
    """
    digests = {}
    for name, words in NO_FILES.items():
        section, _, key = name.partition(".")
        searched = settings.space.get(name)
        given = getattr(getattr(settings, section), key)
        for value in [given] if searched is None else searched.choices or []:
            if value is not None and value not in words:
                digests[f"{name}={value}"] = _digest(name, Path(str(value)))
    return digests


def _digest(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: no such file: {str(path)!r}.") from error
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read: {error.strerror}.") from error


def _whole(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value or value in NO_FILES.get(name, ()):
        return value
    # Links stay as they were named: on another machine they may lead elsewhere.
    path = os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111
    is_there = os.path.isfile(path) if name in NO_FILES else os.path.isdir(path)  # noqa: PTH112, PTH113
    return path if is_there else value
