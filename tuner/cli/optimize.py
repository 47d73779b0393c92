"""`tuner optimize`: the main job."""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner import __version__
from tuner.cli.options import (
    data_options,
    isolation_flags,
    isolation_options,
    output_option,
    storage_option,
    storage_wait_option,
    study_name_option,
    threads_option,
    trials_option,
    watch_options,
)
from tuner.cli.parameter_types import ConfirmationSize, Count, Duration
from tuner.cli.same_line import same_line
from tuner.cli.say import say
from tuner.metrics import METRICS

if TYPE_CHECKING:
    from tuner.cli.progress import LineView, LiveView
    from tuner.service import StudyPlan, StudyResult

__all__ = ["optimize"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@data_options
@trials_option
@study_name_option
@click.option(
    "--sampler", metavar="NAME", help="tpe (the default), random, qmc, cmaes, gp or grid."
)
@click.option(
    "--pruner",
    metavar="NAME",
    help="predictive (the default), median, asha, hyperband or none.",
)
@click.option(
    "--metric", metavar="NAME", help=f"Objective: {', '.join(METRICS)}.  [default: macro_f1]"
)
@click.option(
    "--timeout",
    type=Duration(),
    help="Start no trial after this time (90s, 30m, 2h); confirmation and sealed test follow.",
)
@click.option(
    "--budget",
    type=Duration(),
    help="Time for everything: search, confirmation, sealed test and report (30m, 2h).",
)
@click.option(
    "--stop-when-flat",
    is_flag=True,
    help="End the search when its expected gain is below the noise of the score.",
)
@click.option(
    "--confirm",
    type=ConfirmationSize(),
    default="5:5",
    show_default=True,
    help="Run the best K trials and the default settings again on up to SEEDS fresh seeds; the "
    "best mean wins. Or none.",
)
@click.option(
    "--workers",
    type=Count(),
    help="Processes on this machine that share the trials.  [default: this one alone]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs the workers: this machine, or a Ray cluster (extra [ray], PostgreSQL).",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Of the Ray cluster.  [default: the environment's RAY_ADDRESS, else one on this machine]",
)
@click.option(
    "--blobs",
    type=click.Choice(["folder", "database"]),
    help="Where weights lie, and data for workers elsewhere: --output, or the storage.  "
    "[default: folder; with --engine ray database]",
)
@threads_option
@isolation_options
@click.option("--seed", type=click.IntRange(min=0), help="Study seed.  [default: 0]")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of phase one.  [default: 5]")
@click.option(
    "--fine-tune-epochs",
    type=click.IntRange(min=0),
    help="Epochs of phase two.  [default: 3]",
)
@output_option
@storage_option
@storage_wait_option
@click.option("--dry-run", is_flag=True, help="Check data and settings, show them, write nothing.")
@watch_options
@click.option("--quiet", "-q", is_flag=True, help="Warnings and the result only.")
@click.option("--verbose", "-v", is_flag=True, help="Every epoch, and tracebacks.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write best_params.json to stdout at the end."
)
@click.version_option(__version__, prog_name="tuner")
def optimize(
    *,
    data: str | None,
    study: str | None,
    trials: int,
    study_name: str | None,
    sampler: str | None,
    pruner: str | None,
    metric: str | None,
    timeout: float | None,
    budget: float | None,
    stop_when_flat: bool,
    confirm: tuple[int, int] | None,
    workers: int | None,
    engine: Any,
    ray_address: str | None,
    blobs: Any,
    isolate: bool,
    trial_seconds: float | None,
    trial_memory: float | None,
    seed: int | None,
    epochs: int | None,
    fine_tune_epochs: int | None,
    output: Path,
    storage: str | None,
    storage_wait: float,
    dry_run: bool,
    log_format: str,
    metrics_port: int | None,
    metrics_host: str,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Search the best fine-tuned classifier for a table of labelled texts.

    Without --data and --study it runs the quick start on shipped Chinese reviews. The same line
    again continues a study that was interrupted.

    Example: tuner optimize --data reviews.csv --text content --label sentiment --timeout 2h
    """
    started = time.monotonic()
    from tuner.cli.findings import show_findings
    from tuner.cli.logs import log_to_stderr
    from tuner.cli.settings_from import settings_from
    from tuner.cli.signals import Signals
    from tuner.cli.watching import alive, watched, watchers
    from tuner.errors import Interrupted
    from tuner.service import (
        ConfirmationPlan,
        build_workers,
        check_weights_kept,
        plan_study,
        run_study,
    )

    log_to_stderr(verbose=verbose, quiet=quiet, log_format=log_format)
    flags = {
        "sampler.name": sampler,
        "pruner.name": pruner,
        "study.metric": metric,
        "study.seed": seed,
        "training.epochs": epochs,
        "training.fine_tune_epochs": fine_tune_epochs,
        **isolation_flags(isolate=isolate, trial_seconds=trial_seconds, trial_memory=trial_memory),
    }
    with Signals() as signals, ExitStack() as logs:
        try:
            metrics = None
            if metrics_port is not None and not dry_run:
                metrics = logs.enter_context(watched(metrics_host, metrics_port))
            settings = settings_from(data=data, study=study, flags=flags, **options)
            plan = plan_study(
                settings,
                storage_url=storage,
                output=output,
                study_name=study_name,
                storage_wait_seconds=storage_wait,
            )
            confirmation = None if confirm is None else ConfirmationPlan(*confirm)
            check_weights_kept(settings, confirmation)
            if dry_run:
                return _show_plan(plan, trials, as_json=as_json)
            is_live = log_format == "text" and not quiet and not verbose
            with _view(plan, trials, confirm, workers or 1, is_live=is_live) as view:
                result = run_study(
                    plan,
                    total=trials,
                    progress=watchers(view, metrics, plan.name, plan.settings.direction),
                    stop_requested=alive(metrics, signals.stop_requested),
                    timeout_seconds=math.inf if timeout is None else timeout,
                    budget_seconds=math.inf if budget is None else budget,
                    started=started,
                    stops_when_flat=stop_when_flat,
                    confirmation=confirmation,
                    workers=build_workers(
                        plan, workers or 0, engine=engine, ray_address=ray_address
                    ),
                    blobs=blobs or ("database" if engine == "ray" else "folder"),
                    opened=lambda: _opened(plan, logs, quiet=quiet),
                )
        except Interrupted as interruption:
            say(f"stopped; what is finished stays. To continue:\n  {same_line()}")
            return interruption.exit_code
    if not quiet and result.findings and result.outcome != "nothing to do":
        say("data:")
        show_findings(result.findings, examples=0)
    if as_json:
        click.echo(json.dumps(result.best, ensure_ascii=False, indent=2))
    else:
        _show_result(result, trials)
    return 0


def _opened(plan: StudyPlan, logs: ExitStack, *, quiet: bool) -> None:
    from tuner.cli.logs import log_to_file

    logs.enter_context(log_to_file(plan.folder))
    if not quiet:
        say(f"study {plan.name}, results in {plan.folder}")


def _view(
    plan: StudyPlan,
    trials: int,
    confirm: tuple[int, int] | None,
    workers: int,
    *,
    is_live: bool,
) -> LineView | LiveView:
    from rich.console import Console

    from tuner.cli.progress import LineView, LiveView
    from tuner.cli.tally import Tally
    from tuner.service import ConfirmationPlan

    tally = Tally(
        trials,
        plan.settings.study.metric,
        plan.settings.direction,
        runs_after=0 if confirm is None else ConfirmationPlan(*confirm).runs(trials),
        workers=workers,
    )
    console = Console(stderr=True)
    if console.is_terminal and is_live:
        return LiveView(tally, console, title=plan.name)
    return LineView(tally)


def _show_plan(plan: StudyPlan, trials: int, *, as_json: bool) -> int:
    from tuner.cli.findings import show_findings
    from tuner.config import settings_record
    from tuner.persist import Cache
    from tuner.report import data_summary
    from tuner.search import distributions, mask
    from tuner.service import split_sources

    collected = plan.collected or split_sources(plan.sources, plan.settings)
    settings = settings_record(plan.settings)
    # The space as it is asked: an entry that means nothing for the backbone never is.
    space = distributions(plan.settings)
    settings["space"] = {name: settings["space"][name] for name in space}
    for name, entry in settings["space"].items():
        if entry["choices"] is None:  # an open end is that of the backbone, such as its groups
            entry["high"] = getattr(space[name], "high", None)
    shown: dict[str, Any] = {
        "study": plan.name,
        "folder": str(plan.folder),
        "storage": mask(plan.storage_url),
        "trials": trials,
        "epochs_per_trial": plan.settings.epochs_max,
        "data": data_summary(collected.parts),
        "disk": {
            "cache_limit_bytes": Cache(plan.output / "cache").limit_bytes,
            "trials_that_keep_weights": plan.settings.workers.weights_kept + 1,
        },
        "settings": settings,
    }
    say("dry run: nothing is written")
    show_findings(collected.findings)
    click.echo(json.dumps(shown, ensure_ascii=False, indent=None if as_json else 2))
    return 0


def _show_result(result: StudyResult, trials: int) -> None:
    from tuner.cli.summary import show_best

    best = result.best
    counts = best["trials"]
    finished = counts["complete"] + counts["pruned"]
    if result.outcome == "nothing to do":
        click.echo(
            f"study {best['study']} has its {finished} finished trials already "
            f"({trials} asked for); nothing to do."
        )
    else:
        click.echo(
            f"study {best['study']} ended ({result.outcome}): {finished} finished trials, "
            f"{counts['pruned']} of them pruned; {counts['failed']} failed."
        )
    show_best(best)
    click.echo(f"results: {result.folder}")
