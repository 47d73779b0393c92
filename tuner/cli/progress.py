"""How a running study looks: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.cli.logs import FILE_ONLY
from tuner.records import TrialRecord

__all__ = ["LineView", "LiveView", "Tally"]

_log = logging.getLogger("tuner.progress")
_BARS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH_MAX, _BAR_WIDTH_MIN = 30, 10
_GAP = 2


class Tally:
    """Counts of a running study and what is left, from the trials seen so far."""

    def __init__(self, total: int, metric: str, direction: str) -> None:
        self.total = total
        self.metric = metric
        self._sign = 1.0 if direction == "maximize" else -1.0
        self.complete = self.pruned = self.failed = 0
        self.best: TrialRecord | None = None
        self.last_failure: TrialRecord | None = None
        self._seconds: list[float] = []

    def begin(self, trials: Sequence[TrialRecord]) -> None:
        """Take over what an earlier run has finished."""
        for trial in trials:
            if trial.state != "running":
                self.add(trial)
        self._seconds.clear()  # another machine's, perhaps

    def add(self, trial: TrialRecord) -> bool:
        """Count a trial; True if it is the new best."""
        if trial.state == "failed":
            if not trial.is_retried:
                self.failed += 1
                self.last_failure = trial
            return False
        if trial.seconds is not None:
            self._seconds.append(trial.seconds)
        if trial.state == "pruned":
            self.pruned += 1
            return False
        self.complete += 1
        is_better = trial.value is not None and (
            self.best is None or self._sign * trial.value > self._sign * (self.best.value or 0.0)
        )
        if is_better:
            self.best = trial
        return is_better

    @property
    def finished(self) -> int:
        """Complete and pruned trials."""
        return self.complete + self.pruned

    @property
    def seconds_left(self) -> float:
        """Estimate from the mean of the last 20 trials; infinite before the second one."""
        # The first trial compiles the programs, so it tells little about the others.
        recent = self._seconds[1:][-20:]
        if not recent:
            return math.inf
        return max(0, self.total - self.finished) * sum(recent) / len(recent)


def _duration(seconds: float) -> str:
    if math.isinf(seconds):
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _curve(values: list[float]) -> str:
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in values)


class LineView:
    """One log line a trial.

    Parameters
    ----------
    tally
        Counts the trials.
    is_shown
        False leaves the lines to the log file, because the terminal has a live view.
    """

    def __init__(self, tally: Tally, *, is_shown: bool = True) -> None:
        self._tally = tally
        self._extra = {FILE_ONLY: not is_shown}

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the counts."""
        self._tally.begin(trials)

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Log the parameters at DEBUG."""
        _log.debug("trial %d begins with %s", number, dict(params), extra=self._extra)

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Log the epoch at DEBUG."""
        metric = self._tally.metric
        _log.debug("trial %d epoch %d: %s %.4f", number, epoch, metric, value, extra=self._extra)

    def trial_finished(self, trial: TrialRecord) -> None:
        """Log what became of the trial."""
        tally = self._tally
        is_best = tally.add(trial)
        result = {
            "complete": f"{tally.metric} {trial.value:.4f}" if trial.value is not None else "",
            "pruned": f"pruned after epoch {max(trial.intermediate, default=0)}",
        }.get(trial.state, f"failed: {trial.attributes.get('failure')}")
        best = (
            f"best {tally.best.value:.4f} (trial {tally.best.number})" if tally.best else "no best"
        )
        _log.info(
            "trial %d %s%s | %s | %d/%d finished, %d pruned, %d failed | %.1f s, about %s left",
            trial.number,
            result,
            " *" if is_best else "",
            best,
            tally.finished,
            tally.total,
            tally.pruned,
            tally.failed,
            trial.seconds or 0.0,
            _duration(tally.seconds_left),
            extra=self._extra,
        )


class LiveView:
    """A view that is redrawn in place: counts, the running trial's curve, the best so far."""

    def __init__(self, tally: Tally, console: Console, *, title: str) -> None:
        self._tally = tally
        self._lines = LineView(tally, is_shown=False)
        self._console = console
        self._title = title
        self._running: int | None = None
        self._curve: list[float] = []
        self._params: Mapping[str, Any] = {}
        self._began = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=False
        )

    def __enter__(self) -> LiveView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running = None
        if self._live.is_started:
            self._live.__exit__(kind, error, traceback)

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the counts and begin to draw."""
        self._tally.begin(trials)
        self._live.__enter__()

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Show the new trial."""
        self._lines.trial_started(number, params)
        self._running, self._params, self._curve = number, params, []

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Lengthen the curve."""
        self._lines.epoch_finished(number, epoch, value)
        self._curve = [*self._curve, value]

    def trial_finished(self, trial: TrialRecord) -> None:
        """Count the trial."""
        self._lines.trial_finished(trial)  # counts it too
        self._running = None

    def _render(self) -> Group:
        tally = self._tally
        head = Text.assemble(
            (self._title, "bold"),
            f"  {_duration(time.monotonic() - self._began)} so far, "
            f"about {_duration(tally.seconds_left)} left",
        )
        counts = [
            Text(f"{tally.finished}/{tally.total} finished"),
            Text(f"{tally.pruned} pruned"),
            Text(f"{tally.failed} failed", style="red" if tally.failed else ""),
        ]
        row = Table.grid(padding=(0, _GAP))
        # The bar takes what the counts leave; in a narrow terminal that is nothing.
        room = self._console.width - sum(len(count) + _GAP for count in counts) - _GAP
        if room >= _BAR_WIDTH_MIN:
            width = min(room, _BAR_WIDTH_MAX)
            bar = ProgressBar(total=tally.total, completed=tally.finished, width=width)
            row.add_row(bar, *counts)
        else:
            row.add_row(*counts)
        best = tally.best
        best_line = (
            Text("best     none yet")
            if best is None
            else Text.assemble(
                "best     ",
                (f"{tally.metric} {best.value:.4f}", "bold green"),
                f"  trial {best.number}  {_short_params(best.params)}",
            )
        )
        running = Text("running  —")
        if self._running is not None:
            curve = (
                f"{_curve(self._curve)} {self._curve[-1]:.4f}" if self._curve else "first epoch"
            )
            running = Text(
                f"running  trial {self._running}  {curve}  {_short_params(self._params)}"
            )
        lines = [best_line, running]
        if tally.last_failure is not None:
            reason = " ".join(str(tally.last_failure.attributes.get("failure")).split())
            lines.append(
                Text(f"failed   trial {tally.last_failure.number}  {reason}", style="red")
            )
        for line in (head, *lines):
            line.no_wrap = True
            line.overflow = "ellipsis"
        return Group(head, row, *lines)


def _short_params(params: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name.rsplit('.', 1)[-1]}={value:.3g}"
        if isinstance(value, float)
        else f"{name.rsplit('.', 1)[-1]}={value}"
        for name, value in params.items()
    )
