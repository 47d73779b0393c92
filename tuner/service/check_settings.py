"""Try what the settings name, before anything is written."""

from __future__ import annotations

import logging

from tuner.config import Settings, possible_values
from tuner.errors import ConfigError, DataError
from tuner.features import vectors_width
from tuner.models import (
    ignored_remark,
    is_pretrained,
    least_tokens,
    searched_models,
    widths_remark,
)
from tuner.preprocess import check_word_lists
from tuner.search import all_preprocess_choices, check_sampler, check_space
from tuner.service.confirm import ConfirmationPlan

__all__ = ["check_settings", "check_weights_kept"]

_log = logging.getLogger(__name__)


def check_settings(settings: Settings) -> None:
    """Raise `ConfigError` if a setting cannot work: space, sampler, word lists, vectors, length.

    What means nothing for the backbone is no error, since studies share their files between
    backbones; a warning names it, and the ranges for which every trial is compiled anew.
    """
    check_space(settings)
    check_sampler(settings)
    for preprocess in all_preprocess_choices(settings):
        check_word_lists(preprocess)
    _check_vectors(settings)
    _check_max_tokens(settings)
    for remark in (ignored_remark(settings), widths_remark(settings)):
        if remark is not None:
            _log.warning("%s", remark)


def check_weights_kept(settings: Settings, confirmation: ConfirmationPlan | None) -> None:
    """Raise `ConfigError` for a confirmation among more trials than keep their weights."""
    kept = settings.workers.weights_kept
    if confirmation is not None and confirmation.top > kept:
        raise ConfigError(
            "workers.weights_kept must be at least the K of --confirm K:SEEDS, since one of these "
            f"trials is shipped; got {kept} with {confirmation.top}:{confirmation.seeds}."
        )


def _check_vectors(settings: Settings) -> None:
    paths = [str(path) for path in possible_values(settings, "model.vectors") if path != "none"]
    if not paths and True in possible_values(settings, "model.freeze_vectors"):
        raise ConfigError(
            "model.freeze_vectors needs model.vectors, since an embedding drawn at random would "
            "never learn; got true with model.vectors = 'none'."
        )
    for path in paths:
        try:
            width = vectors_width(path)
        except DataError as error:
            raise ConfigError(f"model.vectors: {error}") from error
        if "model.embedding_width" in settings.space:
            raise ConfigError(
                "space.model.embedding_width: cannot be searched beside model.vectors, whose "
                f"vectors have {width} numbers; take it out with space.model.embedding_width=off."
            )
        if settings.model.embedding_width != width:
            raise ConfigError(
                f"model.embedding_width must be {width}, the numbers of a vector in {path}; got "
                f"{settings.model.embedding_width}."
            )


def _check_max_tokens(settings: Settings) -> None:
    name = "features.max_tokens"
    shortest = settings.features.max_tokens
    searched = settings.space.get(name)
    if searched is not None:
        shortest = min(int(value) for value in searched.choices or (searched.low or 0,))
    for model in searched_models(settings):
        if is_pretrained(model.backbone) and shortest < (least := least_tokens(model)):
            named = model.checkpoint if model.backbone == "pretrained" else model.backbone
            raise ConfigError(
                f"{name} must be at least {least} for {named}, since start, end and what is put "
                "before a text count, and nothing of the text would be left; got "
                f"{shortest}."
            )
