"""What crosses the stages: frozen records, and the protocols that keep the stages apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "WEIGHTS_KEPT",
    "Checkpoint",
    "ConfirmationProgress",
    "Document",
    "EncodedTexts",
    "Finding",
    "Progress",
    "Report",
    "Scores",
    "SearchParts",
    "StopRequested",
    "StudyProgress",
    "TrialOutcome",
    "TrialRecord",
    "TrialSeeds",
    "TrialState",
    "telling_trials",
]

WEIGHTS_KEPT = 20
"""The best trials that keep their weights, so that a confirmation can choose from them."""


@dataclass(frozen=True, slots=True)
class Document:
    """One labelled text and where it was read.

    `line` is the 1-based line (or row) in `source`, for error messages.
    """

    text: str
    label: str
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `tuner check` has to say about a table.

    `severity` is "info" or "warning"; `count` is in rows unless the message says otherwise;
    `examples` are short texts with file and line.
    """

    kind: str
    severity: str
    count: int
    message: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchParts:
    """All that the search may see: three parts. The sealed test has no field here.

    `classes` are the label names in sorted order; `fingerprint` identifies all rows that were
    split, 64 hexadecimal digits; `text_columns` are those that were joined to texts, () where no
    one knows.
    """

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    selection: tuple[Document, ...]
    classes: tuple[str, ...]
    fingerprint: str
    n_test: int
    text_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one set of predictions against its labels.

    `values` maps each of `tuner.metrics.METRICS` to its score, None where the model gives no
    probabilities to compute it from. `per_class` maps a class to its precision, recall, f1 and
    support in rows.
    """

    n: int
    values: Mapping[str, float | None]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def value(self, metric: str) -> float:
        """Read a score by its name; NaN where there is none."""
        value = self.values[metric]
        return float("nan") if value is None else float(value)

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data."""
        return {
            **self.values,
            "n": self.n,
            "per_class": {name: dict(values) for name, values in self.per_class.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Scores:
        """Read what `as_json` gave."""
        values = {name: v for name, v in content.items() if name not in ("n", "per_class")}
        return cls(content["n"], values, content["per_class"])


@dataclass(frozen=True, slots=True)
class TrialSeeds:
    """Derived seeds of one trial."""

    weights: int
    order: int
    dropout: int


class EncodedTexts(Protocol):
    """Encoded texts as training needs them; see `tuner.features.Encoded`."""

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens per text, (n,)."""

    def padded(self, rows: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.int32]:
        """Give some rows as an array (len(rows), length), cut or filled up with 0."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a trial has cost: seconds by stage, and the names of the programs it compiled."""

    seconds: Mapping[str, float]
    programs: tuple[str, ...] = ()


class Report(Protocol):
    """Hears of every epoch; may raise to stop the trial."""

    def __call__(self, *, epochs_completed: int, value: float, spent: Spent) -> None:
        """Take the validation objective after `epochs_completed` epochs, counted from 1.

        `spent` is what the trial has cost by then.
        """


@dataclass(frozen=True, slots=True)
class TrialState:
    """A trial after an epoch: all that going on from there needs.

    `arrays` holds weights, best weights and optimizer; `about` JSON-ready data: phase, the best
    so far, history; `epoch` counts the epochs completed. Random state has no place: every epoch
    derives its own.
    """

    arrays: Mapping[str, Any]
    about: Mapping[str, Any]
    epoch: int


class Checkpoint(Protocol):
    """Where a trial leaves its state, and finds that of its predecessor."""

    def load(self) -> TrialState | None:
        """Give the newest state of an earlier attempt; None where there is none."""

    def is_due(self) -> bool:
        """Say whether so much would be lost by now that saving pays."""

    def save(self, state: TrialState) -> None:
        """Keep a state, whole or not at all."""

    def clear(self) -> None:
        """Forget all states of the trial, which has ended."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the study's storage has it, frozen.

    `state` is "complete", "pruned", "failed" or "running"; `value` is the selection objective of
    a complete trial, else None; `intermediate` maps epochs completed to validation objectives;
    `origin` is the number of the trial this one retries, else its own; `seconds` is None while
    it runs. `attributes` holds what the trial noted: scores, best epoch, seconds per stage,
    why it failed.
    """

    number: int
    origin: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    intermediate: Mapping[int, float]
    attributes: Mapping[str, Any]
    started: str | None
    seconds: float | None

    @property
    def is_retried(self) -> bool:
        """Whether it was cut off and runs again under another number."""
        return self.state == "failed" and bool(self.attributes.get("retried"))

    @property
    def compile_seconds(self) -> float:
        """What compiling took of `seconds`; only the first trial of a program does it."""
        return float((self.attributes.get("seconds") or {}).get("compile", 0.0))

    @property
    def working_seconds(self) -> float:
        """What it took but for compiling: what another one like it will take."""
        return max(0.0, (self.seconds or 0.0) - self.compile_seconds)

    @property
    def is_set_aside(self) -> bool:
        """Whether its guarded process died so often in one epoch that it runs no more."""
        return self.state == "failed" and bool(self.attributes.get("set_aside"))


def telling_trials(trials: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """Give those that tell what one more takes: the last 20, without the first of all.

    The first one loads and compiles what the others find. What a later one has compiled, for
    another backbone, depth or size, the next one may have to compile too.
    """
    return trials[1:][-20:]


class Progress(Protocol):
    """Watches a study run; a live view, log lines, or the writer of results."""

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Hear that the search begins; `trials` are those an earlier run has left."""

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Hear that a trial begins."""

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Hear of a trial's validation objective after an epoch."""

    def trial_finished(self, trial: TrialRecord) -> None:
        """Hear that a trial has ended, in whatever state."""


class ConfirmationProgress(Protocol):
    """Watches a confirmation run."""

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Hear of how many runs it is at most, and how many an earlier process has finished."""

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Hear of a run's selection objective, None where it failed.

        `repetition` counts from 0; `seconds` is None for a run of an earlier process.
        """


class StudyProgress(Progress, ConfirmationProgress, Protocol):
    """Watches search and confirmation, and knows what comes after."""

    def ending_estimated(self, seconds: float) -> None:
        """Hear what sealed test, baselines and report are expected to take at the end."""


StopRequested = Callable[[], None]
"""Called between two compiled calls; raises `Interrupted` when a signal has come in."""


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What a trial that ran to its end gives back.

    `value` is the selection objective of the best epoch's weights; `best_epoch` counts from 1
    over both phases; `history` holds one row an epoch; `weights` maps names to arrays.
    """

    value: float
    best_epoch: int
    validation: Scores
    selection: Scores
    history: tuple[Mapping[str, float], ...]
    spent: Spent
    weights: Mapping[str, Any]
    n_parameters: int

    @property
    def seconds(self) -> Mapping[str, float]:
        """Time per stage."""
        return self.spent.seconds

    @property
    def n_traces(self) -> int:
        """Count the programs compiled in this trial."""
        return len(self.spent.programs)
