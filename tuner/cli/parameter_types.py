"""Kinds of option values, each refused in one line that says the rule."""

from __future__ import annotations

import re

import click

from tuner.records import WEIGHTS_KEPT

__all__ = ["ConfirmationSize", "Count", "Duration"]

SECONDS_MAX = 10 * 365 * 24 * 3600
COUNT_MAX = 1_000_000


class Duration(click.ParamType[float]):
    """Seconds, or a number with s, m or h."""

    name = "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Give seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value).strip())
        seconds = 0.0 if match is None else float(match[1]) * _SECONDS[match[2]]
        if not 0 < seconds <= SECONDS_MAX:
            self.fail(
                "must be seconds above 0, or such as 90s, 30m, 2h, and at most ten years; got "
                f"{value!r}.",
                param,
                ctx,
            )
        return seconds


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Count(click.ParamType[int]):
    """A whole number from 1 to a million."""

    name = "INTEGER"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Give the number."""
        text = str(value).strip()
        if not re.fullmatch(r"\d{1,7}", text) or not 1 <= int(text) <= COUNT_MAX:
            self.fail(
                f"must be a whole number from 1 to {COUNT_MAX:,}; got {value!r}.", param, ctx
            )
        return int(text)


class ConfirmationSize(click.ParamType[tuple[int, int] | None]):
    """`K:SEEDS`, or none."""

    name = "K:SEEDS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | None:
        """Give trials and seeds."""
        text = str(value).strip().lower()
        if text == "none":
            return None
        match = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text)
        if match is None or not 1 <= int(match[1]) <= WEIGHTS_KEPT or int(match[2]) < 1:
            self.fail(
                f"must be none or K:SEEDS, such as 5:5, with K from 1 to {WEIGHTS_KEPT} since so "
                f"many trials keep their weights, and SEEDS at least 1; got {value!r}.",
                param,
                ctx,
            )
        return int(match[1]), int(match[2])
