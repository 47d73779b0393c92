"""The main job: from settings to a finished study and its results."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tuner.cores import cores
from tuner.errors import Interrupted
from tuner.isolation import PipelineRecipe
from tuner.models import precision_remark
from tuner.persist import probe_folder
from tuner.pipeline import StudyTrials, load_training_ahead
from tuner.records import (
    ConfirmationProgress,
    Finding,
    Progress,
    StopRequested,
    StudyProgress,
)
from tuner.search import (
    BlobPlace,
    EndsEarly,
    Search,
    first_settings,
    storage_errors,
    why_none_pruned,
)
from tuner.service.check_settings import check_weights_kept
from tuner.service.conclude import conclude
from tuner.service.confirm import Confirmation, ConfirmationPlan, confirm
from tuner.service.confirmation_clock import ConfirmationClock
from tuner.service.ending import Limits, ends_early_rule
from tuner.service.ending_cost import EndingCost, rehearse
from tuner.service.opened_study import open_results, open_search
from tuner.service.plan import StudyPlan
from tuner.service.results import Results
from tuner.service.runners import Runner, runners
from tuner.service.watch import Workers, run_with_workers
from tuner.service.watchers import Watchers
from tuner.wording import times

__all__ = ["StudyResult", "run_study"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a run of a study ended with.

    `outcome` is "complete", "timeout", "budget", "flat", "exhausted" or "nothing to do"; `best`
    the content of `best_params.json`.
    """

    outcome: str
    folder: Path
    best: Mapping[str, Any]
    findings: tuple[Finding, ...]


def run_study(
    plan: StudyPlan,
    *,
    total: int,
    progress: StudyProgress,
    stop_requested: StopRequested = lambda: None,
    timeout_seconds: float = math.inf,
    budget_seconds: float = math.inf,
    started: float | None = None,
    stops_when_flat: bool = False,
    confirmation: ConfirmationPlan | None = None,
    opened: Callable[[], None] = lambda: None,
    workers: Workers | None = None,
    blobs: BlobPlace = "folder",
) -> StudyResult:
    """Run or continue a study until it has `total` finished trials, then open the test once.

    Parameters
    ----------
    timeout_seconds
        No trial is started after this time; the confirmation follows all the same.
    budget_seconds
        Search, confirmation, the sealed test and the report are to fit in.
    started
        When these two began to count, by the monotonic clock; None for now.
    stops_when_flat
        End the search when its expected gain is below the noise of the score.
    confirmation
        How the best trials are run again; None for not at all.
    opened
        Called when storage and run directory have been found writable.
    workers
        Run the trials, see `build_workers`; None runs them in this process.
    blobs
        Where weights and data lie for workers: beside the results, or in the storage.

    Raises
    ------
    Interrupted
        From `stop_requested`; what is finished stays.
    NoCompleteTrial
        If no trial is complete at the end.
    """
    limits = Limits(
        time.monotonic() if started is None else started, timeout_seconds, budget_seconds
    )
    # Before the study is made: one without a place for its results would stay behind, empty.
    check_weights_kept(plan.settings, confirmation)
    probe_folder(plan.folder)
    with storage_errors(plan.storage_url), closing(open_search(plan)) as search:
        search.heed(stop_requested)
        results = open_results(plan, search, total=total, blobs=blobs)
        results.check_weights(search.best())
        opened()
        finished = search.counts()["finished"]
        written = results.read_best()
        if finished >= total and _is_final(written, finished, confirmation):
            return StudyResult("nothing to do", plan.folder, written or {}, results.findings)
        results.sealed.check()
        _say_where_it_stands(plan, search, results, total)
        if finished < total:
            if workers is None and not plan.settings.execution.isolate:
                load_training_ahead()
            # Before the first trial, so that a setting that cannot work ends the run, not a trial.
            first = first_settings(plan.settings)
            results.pipeline.prepare(first)
            coverage = results.pipeline.vector_coverage(first)
            if coverage is not None:
                search.note("vectors", coverage.as_json())

        @cache
        def ending() -> EndingCost:
            """Rehearse the end once, and tell whoever shows the time left."""
            cost = rehearse(results.pipeline, plan.settings)
            seconds = cost.seconds(search.trials())
            search.note_ending(runs=_runs(confirmation, total), seconds=seconds)
            progress.ending_estimated(seconds)
            return cost

        if workers is not None:
            ending()  # before they take the cores
        progress.study_started(search.trials())
        ends_early = ends_early_rule(
            results,
            limits,
            stops_when_flat=stops_when_flat,
            confirmation=confirmation,
            ending=ending,
            trains_elsewhere=workers is not None,
            n_earlier=search.counts()["complete"],
        )
        with _study_runner(search, results, stop_requested) as runner:
            outcome = _run_trials(
                search, results, total, runner, progress, stop_requested, ends_early, workers
            )
            confirmed = _confirm(
                search,
                results,
                confirmation,
                runner,
                progress,
                stop_requested,
                deadline=limits.deadline - ending().seconds(search.trials()),
            )
        _log.info(
            "opening the sealed test, with baselines and the report: about %.0f s",
            ending().seconds(search.trials()),
        )
        with _interruption_written(search, results):
            content = conclude(search, results, outcome, confirmed, stop_requested)
        search.note_conclusion(finished=search.counts()["finished"])
        return StudyResult(outcome, plan.folder, content, results.findings)


def _runs(confirmation: ConfirmationPlan | None, total: int) -> int:
    """Count the runs of the confirmation, at most."""
    if confirmation is None:
        return 0
    return confirmation.runs(total)


def _confirm(
    search: Search,
    results: Results,
    plan: ConfirmationPlan | None,
    runner: Callable[[], Runner],
    progress: ConfirmationProgress,
    stop_requested: StopRequested,
    *,
    deadline: float,
) -> Confirmation | None:
    if plan is None:
        return None
    clock = ConfirmationClock(progress, n_seeds=plan.seeds, deadline=deadline)
    with _interruption_written(search, results):
        return confirm(
            search,
            results,
            plan,
            runner=runner,
            progress=clock,
            stop_requested=stop_requested,
            time_is_up=clock.is_up,
        )


@contextmanager
def _interruption_written(search: Search, results: Results) -> Iterator[None]:
    """Let the tables say that what comes after the search was interrupted."""
    try:
        yield
    except Interrupted:
        results.write_tables(search.trials(), outcome="interrupted")
        raise


def _say_where_it_stands(plan: StudyPlan, search: Search, results: Results, total: int) -> None:
    finished = search.counts()["finished"]
    if finished:
        _log.info("continuing study %s: %d of %d trials are finished", plan.name, finished, total)
    if search.n_reaped:
        _log.info("%d trials whose process had died are run again", search.n_reaped)
    if results.sealed.reads and finished < total:
        _log.warning(
            "the sealed test of this study has been read %s; another winner will be "
            "another reading, and its score a little less honest",
            times(results.sealed.reads),
        )
    advice = precision_remark(plan.settings)
    if advice is not None and finished < total:
        _log.info("%s", advice)


def _run_trials(
    search: Search,
    results: Results,
    total: int,
    runner: Callable[[], Runner],
    progress: Progress,
    stop_requested: StopRequested,
    ends_early: EndsEarly,
    workers: Workers | None,
) -> str:
    """Run the search and give its outcome; whatever ends it, the tables say so."""
    outcome = "failed"
    try:
        if workers is not None:
            outcome = run_with_workers(
                search,
                workers,
                total=total,
                progress=Watchers(results, progress),
                stop_requested=stop_requested,
                ends_early=ends_early,
            )
        else:
            outcome = search.run(
                runner(),
                total=total,
                progress=Watchers(results, progress),
                stop_requested=stop_requested,
                store=results.trial_store,
                ends_early=ends_early,
            )
    except BaseException as error:
        if isinstance(error, Interrupted | KeyboardInterrupt):
            outcome = "interrupted"
        with search.impatient():
            search.reap()
            results.write_tables(search.trials(), outcome=outcome)
        raise
    search.reap()
    results.write_tables(search.trials(), outcome=outcome)
    if not search.close_to_workers(outcome):
        _log.info("the search goes on elsewhere: more than these %d trials were asked for", total)
    counts = search.counts()
    remark = why_none_pruned(
        search.settings.pruner, complete=counts["complete"], pruned=counts["pruned"]
    )
    if remark is not None:
        _log.info("%s", remark)
    if outcome == "exhausted":
        _log.info("every combination of the grid has been tried: the search ends before %d", total)
    return outcome


@contextmanager
def _study_runner(
    search: Search, results: Results, stop_requested: StopRequested
) -> Iterator[Callable[[], Runner]]:
    """Give what gives what runs configurations: search and confirmation have the same one.

    It is made when it is first asked for: with workers, nothing is before the confirmation.
    """
    recipe = PipelineRecipe(
        results.parts,
        results.folder.parent / "cache",
        processes=cores(),
        checkpoints=search.checkpoints,
    )
    with runners(results.settings.execution, stop_requested) as make_runner:
        yield cache(lambda: make_runner(recipe, lambda: StudyTrials(results.pipeline).run_trial))


def _is_final(
    written: Mapping[str, Any] | None, finished: int, confirmation: ConfirmationPlan | None
) -> bool:
    """Say whether the results were written after the last of the finished trials."""
    if written is None or written["outcome"] != "complete":
        return False
    if confirmation is not None:
        last = written.get("confirmation") or {}
        if (last.get("top"), last.get("seeds")) != (confirmation.top, confirmation.seeds):
            return False
    return bool(written["trials"]["complete"] + written["trials"]["pruned"] == finished)
