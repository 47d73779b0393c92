"""What a guard and its child say to each other over their pipe."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from tuner.config import Settings
from tuner.isolation.recipe import Recipe
from tuner.pipeline import Fold
from tuner.records import TrialOutcome, TrialSeeds

__all__ = ["Answer", "Ask", "Ended", "Learn", "Log", "Ready", "Run", "Stop"]


@dataclass(frozen=True, slots=True)
class Learn:
    """To the child: make this recipe, known by its number from now on."""

    number: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Run:
    """To the child: run one trial by a recipe; on a fold where one is given."""

    number: int
    settings: Settings
    seeds: TrialSeeds
    has_checkpoint: bool
    fold: Fold | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """To the child: what `Ask` gave."""

    content: Any


@dataclass(frozen=True, slots=True)
class Stop:
    """To the child: drop the trial. Whatever it asks from here on is not answered."""


@dataclass(frozen=True, slots=True)
class Ready:
    """To the guard: the recipe is made."""


@dataclass(frozen=True, slots=True)
class Ask:
    """To the guard: call the trial's report, or its checkpoint."""

    what: Literal["report", "load", "is_due", "save"]
    content: Any = None


@dataclass(frozen=True, slots=True)
class Log:
    """To the guard: a line of the log."""

    record: logging.LogRecord


@dataclass(frozen=True, slots=True)
class Ended:
    """To the guard: the trial has ended; neither outcome nor error if it was dropped."""

    outcome: TrialOutcome | None = None
    error: Exception | None = None
