"""The backbones and checkpoints that a study tries, and the settings that none of them heeds."""

from __future__ import annotations

from tuner.config import DEFAULT_SPACE, ModelSettings, Settings, searchable_names, setting_value
from tuner.models.registry import ignored_settings
from tuner.sizes import few_sizes_up

__all__ = ["ignored_by_all", "ignored_remark", "searched_models", "widths_remark"]

_CHOICES_MAX = 6
_WIDTHS = ("model.embedding_width", "model.width")


def searched_models(settings: Settings) -> list[ModelSettings]:
    """Give the model of the settings with every backbone and checkpoint that is searched."""
    models = [settings.model]
    for field in ("backbone", "checkpoint"):
        searched = settings.space.get(f"model.{field}")
        if searched is not None and searched.choices is not None:
            models = [
                model.model_copy(update={field: str(choice)})
                for model in models
                for choice in searched.choices
            ]
    return models


def ignored_by_all(settings: Settings) -> frozenset[str]:
    """Give the settings that mean nothing for any of the searched backbones.

    Of several backbones one may know what another ignores.
    """
    return frozenset.intersection(*map(ignored_settings, _backbones(settings)))


def ignored_remark(settings: Settings) -> str | None:
    """Say which settings and entries of the space were given in vain; None if there are none.

    What has its default is not told of: a default belongs to one backbone or another.
    """
    ignored = ignored_by_all(settings)
    defaults = Settings()
    names = [
        name
        for name in searchable_names()
        if name in ignored and setting_value(settings, name) != setting_value(defaults, name)
    ]
    names += [
        f"space.{name}"
        for name, entry in settings.space.items()
        if name in ignored and entry != DEFAULT_SPACE.get(name)
    ]
    if not names:
        return None
    means, is_ = ("means", "is") if len(names) == 1 else ("mean", "are")
    backbones = " and ".join(sorted(_backbones(settings)))
    return f"{', '.join(names)}: {means} nothing for {backbones} and {is_} ignored"


def widths_remark(settings: Settings) -> str | None:
    """Say which searched ranges give nearly every trial a network of its own; None if none do.

    A width is not filled up, as a batch is: it would start from other weights.
    """
    remarks = []
    for name in _WIDTHS:
        entry = settings.space.get(name)
        if entry is None or entry.low is None or entry.high is None:
            continue
        widths = range(int(entry.low), int(entry.high) + 1, int(entry.step or 1))
        few = sorted({min(few_sizes_up(width), widths[-1]) for width in widths})
        if len(few) > _CHOICES_MAX:
            few = [*few[:-1:2], few[-1]]
        if len(few) < len(widths) and name not in ignored_by_all(settings):
            remarks.append(
                f"space.{name}: each of its {len(widths)} widths is compiled for, seconds a "
                "trial; a few choices, whose networks stay in memory, are compiled for once "
                f"each, such as {{choices={few}}}"
            )
    return "; ".join(remarks) or None


def _backbones(settings: Settings) -> frozenset[str]:
    return frozenset(model.backbone for model in searched_models(settings))
