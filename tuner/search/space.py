"""The search space: settings to Optuna's distributions and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuner.config import (
    ModelSettings,
    PreprocessSettings,
    Settings,
    SpaceEntry,
    apply_params,
    number_type,
    setting_value,
)
from tuner.errors import ConfigError
from tuner.models import (
    ignored_by_all,
    ignored_settings,
    layer_groups,
    network_width,
    searched_models,
    token_dropout,
)

__all__ = [
    "all_params",
    "all_preprocess_choices",
    "check_space",
    "default_params",
    "distributions",
    "first_settings",
    "suggest",
]

# None stands for the backbone's own, which is a number.
_TOKEN_DROPOUT = "model.token_dropout"
_WIDTH = "model.width"


def distributions(settings: Settings) -> dict[str, BaseDistribution]:
    """Give the distribution of every searched setting, in the order of the space.

    What has no meaning for the backbone is not asked.

    Raises
    ------
    ConfigError
        If an entry does not fit its setting, such as a frozen depth beyond the backbone's groups.
    """
    _check_frozen_depth(settings)
    ignored = ignored_by_all(settings)
    return {
        name: _distribution(name, entry, settings)
        for name, entry in settings.space.items()
        if name not in ignored
    }


def _distribution(name: str, entry: SpaceEntry, settings: Settings) -> BaseDistribution:
    if entry.choices is not None:
        return CategoricalDistribution(entry.choices)
    numbers = number_type(name)
    if numbers is None:
        raise ConfigError(f"space.{name} must be {{choices=[…]}}, since it is no number.")
    low, high = entry.low, entry.high
    if name == "model.frozen_depth" and high is None:
        high = _groups_below_head(settings)[0]
    if low is None or high is None:
        raise ConfigError(f"space.{name} must have low and high; got low={low}, high={high}.")
    if entry.step is not None:
        steps = (high - low) / entry.step
        if abs(steps - round(steps)) > 1e-9:
            raise ConfigError(
                f"space.{name}: high must be low plus a multiple of step; got {low} to {high} "
                f"in steps of {entry.step}."
            )
    if numbers is int:
        if any(int(bound) != bound for bound in (low, high, entry.step or 1)):
            raise ConfigError(f"space.{name} must have whole numbers; got {low} to {high}.")
        return IntDistribution(int(low), int(high), log=entry.log, step=int(entry.step or 1))
    return FloatDistribution(float(low), float(high), log=entry.log, step=entry.step)


def _groups_below_head(settings: Settings) -> tuple[int, str]:
    """Give how many layer groups can be frozen, and the backbone with the fewest of them."""
    return min((len(layer_groups(model)), model.backbone) for model in searched_models(settings))


def check_space(settings: Settings) -> None:
    """Raise `ConfigError` if the space cannot be searched.

    A backbone that is unknown, an entry that does not fit its setting, or a frozen depth that
    would freeze the head.
    """
    _check_backbones(settings)
    distributions(settings)


def _check_backbones(settings: Settings) -> None:
    # Where only the space names checkpoints, its first one stands for the setting.
    fixed = settings.model
    if fixed.checkpoint is None:
        fixed = fixed.model_copy(update={"checkpoint": searched_models(settings)[0].checkpoint})
    layer_groups(fixed)
    is_used = any(model.backbone == "pretrained" for model in searched_models(settings))
    if settings.model.checkpoint is not None and not is_used:
        raise ConfigError(
            "model.checkpoint belongs to model.backbone=pretrained; model.backbone is "
            f"{settings.model.backbone!r}; got {settings.model.checkpoint!r}."
        )
    if is_used:
        _check_choices(settings, "checkpoint", fixed.model_copy(update={"backbone": "pretrained"}))
    _check_choices(settings, "backbone", fixed)


def _check_choices(settings: Settings, field: str, fixed: ModelSettings) -> None:
    """Try every choice of a field, the others as they are in `fixed`."""
    searched = settings.space.get(f"model.{field}")
    for number, choice in enumerate(() if searched is None else searched.choices or ()):
        try:
            layer_groups(fixed.model_copy(update={field: str(choice)}))
        except ConfigError as error:
            raise ConfigError(
                f"space.model.{field}: choices[{number}] breaks the setting's rule: {error}"
            ) from error


def _check_frozen_depth(settings: Settings) -> None:
    """Refuse to freeze the head: nothing would be left to learn."""
    n_groups, backbone = _groups_below_head(settings)
    depths: dict[str, Any] = {"model.frozen_depth": settings.model.frozen_depth}
    searched = settings.space.get("model.frozen_depth")
    if searched is not None:
        depths = {"space.model.frozen_depth: high": searched.high}
        if searched.choices is not None:
            depths = {
                f"space.model.frozen_depth: choices[{number}]": choice
                for number, choice in enumerate(searched.choices)
            }
    for where, depth in depths.items():
        if depth is not None and float(depth) > n_groups:
            raise ConfigError(
                f"{where} must be at most {n_groups}, the layer groups of {backbone} below its "
                f"head, since the head is never frozen; got {depth}."
            )


def all_preprocess_choices(settings: Settings) -> Iterator[PreprocessSettings]:
    """Give the preprocessing of the study, then that of every searched choice, one at a time."""
    yield settings.preprocess
    for name, entry in settings.space.items():
        if name.startswith("preprocess."):
            for choice in entry.choices or ():
                yield apply_params(settings, {name: choice}).preprocess


def default_params(
    settings: Settings, space: Mapping[str, BaseDistribution], *, n_classes: int = 2
) -> dict[str, Any]:
    """Give trial 0's parameters: the settings' own values, moved into the range if outside.

    A penalty that is off (0.0) becomes the lowest value of a logarithmic range. Where a setting's
    value is not among the choices, the first of them is taken. What a backbone decides is its
    own value; of choices without it the nearest number.

    Parameters
    ----------
    space
        Of `distributions`.
    n_classes
        Classes of the data, which a backbone's own width may depend on.
    """
    params: dict[str, Any] = {}
    for name, distribution in space.items():
        given = value = setting_value(settings, name)
        if given is None and name in (_TOKEN_DROPOUT, _WIDTH):
            value = _first_backbones_own(name, settings, space, n_classes)
        if isinstance(distribution, CategoricalDistribution):
            params[name] = _first_choice(distribution.choices, given, value)
        elif isinstance(distribution, FloatDistribution | IntDistribution):
            low, high, step = distribution.low, distribution.high, distribution.step
            inside = min(max(low if value is None else value, low), high)
            if step is not None and not distribution.log:
                inside = low + step * math.floor((inside - low) / step + 0.5)
                inside = min(inside, high)
            is_whole = isinstance(distribution, IntDistribution)
            params[name] = int(inside) if is_whole else float(inside)
    return params


def _first_choice(choices: Sequence[Any], given: Any, value: Any) -> Any:
    """Give the choice that a setting's value is; `value` is a backbone's own where none is given.

    Where it is not among them: the nearest number to a backbone's own, or the first one.
    """
    if given is None and "none" in choices:
        return "none"
    if value in choices:
        return value
    numbers = [choice for choice in choices if isinstance(choice, int | float)]
    if given is not None or value is None or not numbers:
        return choices[0]
    return min(numbers, key=lambda number: abs(number - value))


def first_settings(settings: Settings) -> Settings:
    """Give the settings of trial 0."""
    return apply_params(settings, default_params(settings, distributions(settings)))


def _first_backbones_own(
    name: str, settings: Settings, space: Mapping[str, BaseDistribution], n_classes: int
) -> float | None:
    """Give what the backbone of trial 0 takes where nothing is set; None if it heeds it not."""
    choices = getattr(space.get("model.backbone"), "choices", (settings.model.backbone,))
    first = settings.model.backbone if settings.model.backbone in choices else choices[0]
    if name in ignored_settings(first):
        return None
    model = settings.model.model_copy(update={"backbone": first})
    return token_dropout(model) if name == _TOKEN_DROPOUT else network_width(model, n_classes)


def suggest(trial: optuna.Trial, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Ask the sampler for a value of every searched setting."""
    params: dict[str, Any] = {}
    for name, distribution in space.items():
        if isinstance(distribution, FloatDistribution):
            params[name] = trial.suggest_float(
                name,
                distribution.low,
                distribution.high,
                step=distribution.step,
                log=distribution.log,
            )
        elif isinstance(distribution, IntDistribution):
            params[name] = trial.suggest_int(
                name,
                distribution.low,
                distribution.high,
                step=distribution.step,
                log=distribution.log,
            )
        elif isinstance(distribution, CategoricalDistribution):
            params[name] = trial.suggest_categorical(name, distribution.choices)
    return params


_ALWAYS_SHOWN = (
    "training.learning_rate",
    "regularization.l1",
    "regularization.l2",
    "model.dropout",
    "model.frozen_depth",
)


def all_params(settings: Settings, params: Mapping[str, Any]) -> dict[str, Any]:
    """Add the fixed value of the main parameters that were not searched."""
    fixed = {name: setting_value(settings, name) for name in _ALWAYS_SHOWN}
    return {**fixed, **params}
