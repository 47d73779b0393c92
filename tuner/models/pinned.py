"""Checkpoints that a study holds on to: by name, and by what is in them."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.config import ModelSettings, Settings
from tuner.errors import ConfigError
from tuner.models.pretrained import Checkpoint, is_pretrained, open_checkpoint
from tuner.models.searched_models import searched_models

__all__ = ["checkpoint_digests", "digest_differences", "open_pinned"]

_SHOWN = 12


def checkpoint_digests(settings: Settings) -> dict[str, str]:
    """Give the digest of every checkpoint that a study can use.

    Returns
    -------
    dict
        64 hexadecimal digits by the setting that names the checkpoint, such as
        ``model.checkpoint=/models/bert`` or ``model.backbone=e5-small``. Empty, and nothing is
        opened, where no backbone is pretrained.

    Raises
    ------
    ConfigError
        If one is not there or cannot be used.
    """
    return {
        _name(model): open_checkpoint(model).digest
        for model in searched_models(settings)
        if is_pretrained(model.backbone)
    }


def digest_differences(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Name what has another content here than there."""
    return [
        f"the digest of {name} is {there[name][:_SHOWN]}… there, {digest[:_SHOWN]}… here"
        for name, digest in here.items()
        if there.get(name, digest) != digest
    ]


def open_pinned(model: ModelSettings, digests: Mapping[str, str]) -> Checkpoint:
    """Open the checkpoint of a trial, one that a study holds on to.

    Parameters
    ----------
    digests
        As `checkpoint_digests` gives them; a checkpoint that is not among them is taken as it is.

    Raises
    ------
    ConfigError
        If it is not there, cannot be used, or is another one.
    """
    checkpoint = open_checkpoint(model)
    found = digest_differences(digests, {_name(model): checkpoint.digest})
    if found:
        raise ConfigError(f"the checkpoint was replaced while its study ran: {found[0]}.")
    return checkpoint


def _name(model: ModelSettings) -> str:
    if model.backbone == "pretrained":
        return f"model.checkpoint={model.checkpoint}"
    return f"model.backbone={model.backbone}"
