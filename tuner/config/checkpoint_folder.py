"""The folder of a pretrained checkpoint, named so that every process finds the same one."""

from __future__ import annotations

import os.path
from typing import Any

__all__ = ["name_whole_folders"]


def name_whole_folders(tree: dict[str, Any]) -> None:
    """Write folders in `model.checkpoint` and its choices as absolute paths, in place.

    Workers and predictions run in other folders than the one where the name was typed. What is no
    folder here may be the name of a preset, and stays as it is.

    Parameters
    ----------
    tree
        Settings before they are checked; `tree["space"]` is flat.
    """
    model = tree.get("model", {})
    if "checkpoint" in model:
        model["checkpoint"] = _whole(model["checkpoint"])
    searched = tree["space"].get("model.checkpoint")
    if searched is not None and isinstance(searched.get("choices"), list):
        searched["choices"] = [_whole(choice) for choice in searched["choices"]]


def _whole(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    # Links stay as they were named: on another machine they may lead elsewhere.
    folder = os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111
    return folder if os.path.isdir(folder) else value  # noqa: PTH112
