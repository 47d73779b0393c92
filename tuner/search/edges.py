"""Warn where the best value lies at the edge of its range, and something lies beyond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from optuna.distributions import FloatDistribution, IntDistribution
from pydantic import ValidationError

from tuner.config import Settings, SpaceEntry, apply_params
from tuner.errors import ConfigError
from tuner.models import ignored_settings
from tuner.search.space import distributions

__all__ = ["EdgeWarning", "edge_warnings"]

EDGE_SHARE = 0.02
_WIDENED_BY = (0.5, 0.25, 0.1, EDGE_SHARE)  # shares of the range; the first that is allowed

Range = FloatDistribution | IntDistribution
Side = Literal["lower", "upper"]


@dataclass(frozen=True, slots=True)
class EdgeWarning:
    """A best value at the edge of its range.

    `name` is the dotted setting; `value` the best trial's; `low` and `high` the range searched;
    `side` "lower" or "upper"; `sentence` says what to do.
    """

    name: str
    value: float
    low: float
    high: float
    side: Side
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data."""
        return asdict(self)


def edge_warnings(settings: Settings, params: Mapping[str, Any]) -> tuple[EdgeWarning, ...]:
    """Find best values within 2 % of the end of their range, where the range could go on.

    Parameters
    ----------
    settings
        Of the study, with its search space.
    params
        Of the best trial, by dotted name.

    Returns
    -------
    tuple of EdgeWarning, in the order of the space
        None for choices, none for what has no meaning for the best trial's backbone, and none
        where the setting's own rule ends too: dropout 0, frozen depth 0 or at the number of
        groups. The 2 % are of the logarithm for logarithmic ranges.

    >>> edge_warnings(Settings(), {"model.dropout": 0.0})
    ()
    """
    found = []
    ignored = ignored_settings(apply_params(settings, params).model.backbone)
    for name, searched in distributions(settings).items():
        if name not in params or name in ignored:
            continue
        if not isinstance(searched, Range) or searched.single():
            continue
        value = params[name]
        side = _side(float(value), searched)
        if side is None:
            continue
        wider = _wider(settings, name, searched, side)
        if wider is None:
            continue
        sentence = _sentence(settings, name, value, searched, side, wider)
        found.append(EdgeWarning(name, value, searched.low, searched.high, side, sentence))
    return tuple(found)


def _side(value: float, searched: Range) -> Side | None:
    low, high, at = (_scaled(each, searched) for each in (searched.low, searched.high, value))
    share = (at - low) / (high - low)
    if share <= EDGE_SHARE:
        return "lower"
    return "upper" if share >= 1 - EDGE_SHARE else None


def _scaled(value: float, searched: Range) -> float:
    return math.log(value) if searched.log else float(value)


def _wider(settings: Settings, name: str, searched: Range, side: Side) -> SpaceEntry | None:
    """Give a range that goes on beyond the edge; None where the setting's rule ends there."""
    just_outside = _moved(searched, side, EDGE_SHARE)
    least = _allowed(settings, name, searched, side, just_outside)
    if least is None:
        return None
    for share in _WIDENED_BY:
        bound = _rounded_outwards(_moved(searched, side, share), searched, side)
        entry = _allowed(settings, name, searched, side, bound)
        if entry is not None:
            return entry
    return least


def _moved(searched: Range, side: Side, share: float) -> float:
    """Move the bound at that side out by a share of the range's width."""
    sign = -1 if side == "lower" else 1
    bound: float = searched.low if side == "lower" else searched.high
    width = _scaled(searched.high, searched) - _scaled(searched.low, searched)
    if not searched.log and searched.step is not None:
        n_steps = max(1, round(share * width / searched.step))
        return round(bound + sign * searched.step * n_steps, 12)
    moved = (
        bound * math.exp(sign * share * width) if searched.log else bound + sign * share * width
    )
    if isinstance(searched, IntDistribution):
        return min(math.floor(moved), bound - 1) if sign < 0 else max(math.ceil(moved), bound + 1)
    return moved


def _rounded_outwards(bound: float, searched: Range, side: Side) -> float:
    """Keep two digits, going away from the range; whole numbers and grids stay as they are."""
    if isinstance(searched, IntDistribution) or searched.step is not None or bound == 0:
        return bound
    digits = 1 - math.floor(math.log10(abs(bound)))
    whole = math.floor if side == "lower" else math.ceil
    # The inner rounding keeps 0.13 at 0.13, which times 100 is a little more than 13.
    return round(whole(round(bound * 10.0**digits, 6)) / 10.0**digits, max(0, digits))


def _allowed(
    settings: Settings, name: str, searched: Range, side: Side, bound: float
) -> SpaceEntry | None:
    """Give the entry with that bound if setting, entry and backbone accept it, else None."""
    low, high = (bound, searched.high) if side == "lower" else (searched.low, bound)
    step = None if searched.log or searched.step == 1 else searched.step
    try:
        entry = SpaceEntry(low=low, high=high, log=searched.log, step=step)
        apply_params(settings, {name: bound})
        distributions(settings.model_copy(update={"space": {**settings.space, name: entry}}))
    except (ValidationError, ConfigError):
        return None
    return entry


def _sentence(
    settings: Settings,
    name: str,
    value: float,
    searched: Range,
    side: Side,
    wider: SpaceEntry,
) -> str:
    parts = [f"low={wider.low!r}", f"high={wider.high!r}"]
    if wider.log:
        parts.append("log=true")
    if wider.step is not None:
        parts.append(f"step={wider.step!r}")
    shown = str(value) if isinstance(searched, IntDistribution) else f"{value:.4g}"
    sentence = (
        f"space.{name}: the best value {shown} lies at the {side} edge of {searched.low!r} to "
        f"{searched.high!r}; try --set 'space.{name}={{{','.join(parts)}}}'"
    )
    if side == "lower" and wider.log and _can_be_off(settings, name):
        return f"{sentence}, or switch it off with --set {name}=0.0"
    return sentence


def _can_be_off(settings: Settings, name: str) -> bool:
    """Whether 0, which no logarithmic range reaches, is a value of the setting."""
    try:
        apply_params(settings, {name: 0.0})
    except ConfigError:
        return False
    return True
