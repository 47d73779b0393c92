"""How a running study looks: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
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
from tuner.cli.tally import ConfirmationTally, Tally, duration
from tuner.records import TrialRecord

__all__ = ["LineView", "LiveView"]

_log = logging.getLogger("tuner.progress")
_BARS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH_MAX, _BAR_WIDTH_MIN = 30, 10
_GAP = 2


def _finished_event(trial: TrialRecord) -> dict[str, Any]:
    """Give the fields of a log line in JSON."""
    return {
        "event": "trial finished",
        "trial": trial.number,
        "state": "retried" if trial.is_retried else trial.state,
        "value": trial.value,
        "epochs": len(trial.intermediate),
        "seconds": trial.seconds,
    }


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
    study
        Name that each line begins with; "" for none, where there is but one study.
    """

    def __init__(self, tally: Tally, *, is_shown: bool = True, study: str = "") -> None:
        self._tally = tally
        self._extra: dict[str, Any] = {FILE_ONLY: not is_shown}
        self._prefix = ""
        if study:
            self._extra["study"] = study
            self._prefix = f"{study} "
        self.confirmation: ConfirmationTally | None = None

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def ending_estimated(self, seconds: float) -> None:
        """Let the time left count it."""
        self._tally.seconds_after = seconds

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the counts."""
        self._tally.begin(trials)

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Log the parameters at DEBUG."""
        event = {"event": "trial started", "trial": number, "params": dict(params)}
        _log.debug(
            "%strial %d begins with %s",
            self._prefix,
            number,
            dict(params),
            extra=self._extra | event,
        )

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Log the epoch at DEBUG."""
        metric = self._tally.metric
        event = {"event": "epoch finished", "trial": number, "epoch": epoch, "value": value}
        _log.debug(
            "%strial %d epoch %d: %s %.4f",
            self._prefix,
            number,
            epoch,
            metric,
            value,
            extra=self._extra | event,
        )

    def trial_finished(self, trial: TrialRecord) -> None:
        """Log what became of the trial."""
        tally = self._tally
        is_best = tally.add(trial)
        why = trial.attributes.get("failure")
        result = {
            "complete": f"{tally.metric} {trial.value:.4f}" if trial.value is not None else "",
            "pruned": f"pruned after epoch {max(trial.intermediate, default=0)}",
        }.get(trial.state, f"{'runs again' if trial.is_retried else 'failed'}: {why}")
        best = (
            f"best {tally.best.value:.4f} (trial {tally.best.number})" if tally.best else "no best"
        )
        _log.info(
            "%strial %d %s%s | %s | %d/%d finished, %d pruned, %d failed | %.1f s, about %s left",
            self._prefix,
            trial.number,
            result,
            " *" if is_best else "",
            best,
            tally.finished,
            tally.total,
            tally.pruned,
            tally.failed,
            trial.seconds or 0.0,
            duration(tally.seconds_left),
            extra=self._extra | _finished_event(trial),
        )

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Begin to count the runs."""
        self.confirmation = ConfirmationTally(
            n_runs,
            n_done,
            seconds_left,
            self._tally.direction,
            seconds_after=self._tally.seconds_after,
        )

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Log the run, unless an earlier process has."""
        tally = self.confirmation
        if tally is None:
            return
        tally.add(trial.number, value, seconds)
        if seconds is None:
            return
        _log.info(
            "confirming trial %d, run %d: %s (search %.4f) | %d/%d runs | %.1f s, about %s left",
            trial.number,
            repetition + 1,
            "failed" if value is None else f"{self._tally.metric} {value:.4f}",
            trial.value or 0.0,
            tally.n_done,
            tally.n_runs,
            seconds,
            duration(tally.seconds_left),
            extra=self._extra,
        )


class LiveView:
    """A view that is redrawn in place: counts, curves of the running trials, the best so far."""

    def __init__(self, tally: Tally, console: Console, *, title: str) -> None:
        self._tally = tally
        self._lines = LineView(tally, is_shown=False)
        self._console = console
        self._title = title
        self._running: dict[int, Mapping[str, Any]] = {}
        self._curves: dict[int, list[float]] = {}
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
        self._running = {}
        if self._live.is_started:
            self._live.__exit__(kind, error, traceback)

    def ending_estimated(self, seconds: float) -> None:
        """Let the time left count it."""
        self._lines.ending_estimated(seconds)

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Take over the counts and begin to draw."""
        self._tally.begin(trials)
        self._live.__enter__()

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Show the new trial."""
        self._lines.trial_started(number, params)
        self._running[number], self._curves[number] = params, []

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Lengthen the curve."""
        self._lines.epoch_finished(number, epoch, value)
        self._curves[number] = [*self._curves.get(number, ()), value]

    def trial_finished(self, trial: TrialRecord) -> None:
        """Count the trial."""
        self._lines.trial_finished(trial)  # counts it too
        self._running.pop(trial.number, None)
        self._curves.pop(trial.number, None)

    def confirmation_started(self, n_runs: int, n_done: int, seconds_left: float) -> None:
        """Show the confirmation in the place of the running trial."""
        self._lines.confirmation_started(n_runs, n_done, seconds_left)

    def confirmation_run_finished(
        self, trial: TrialRecord, repetition: int, value: float | None, seconds: float | None
    ) -> None:
        """Count the run."""
        self._lines.confirmation_run_finished(trial, repetition, value, seconds)

    def _render(self) -> Group:
        tally = self._tally
        confirmation = self._lines.confirmation
        left = tally.seconds_left if confirmation is None else confirmation.seconds_left
        head = Text.assemble(
            (self._title, "bold"),
            f"  {duration(time.monotonic() - self._began)} so far, about {duration(left)} left",
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
        # A copy: this is drawn by a thread of its own.
        running = [self._running_line(*item) for item in list(self._running.items())]
        if confirmation is not None:
            running = [_confirmation_line(confirmation)]
        lines = [best_line, *(running or [Text("running  —")])]
        if tally.last_failure is not None:
            reason = " ".join(str(tally.last_failure.attributes.get("failure")).split())
            lines.append(
                Text(f"failed   trial {tally.last_failure.number}  {reason}", style="red")
            )
        for line in (head, *lines):
            line.no_wrap = True
            line.overflow = "ellipsis"
        return Group(head, row, *lines)

    def _running_line(self, number: int, params: Mapping[str, Any]) -> Text:
        curve = self._curves.get(number)
        shown = f"{_curve(curve)} {curve[-1]:.4f}" if curve else "first epoch"
        return Text(f"running  trial {number}  {shown}  {_short_params(params)}")


def _confirmation_line(tally: ConfirmationTally) -> Text:
    line = f"confirm  {tally.n_done}/{tally.n_runs} runs"
    if tally.leader is not None:
        number, mean, n_runs = tally.leader
        line += f"  ahead: trial {number}, mean {mean:.4f} of {n_runs}"
    return Text(line)


def _short_params(params: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name.rsplit('.', 1)[-1]}={value:.3g}"
        if isinstance(value, float)
        else f"{name.rsplit('.', 1)[-1]}={value}"
        for name, value in params.items()
    )
