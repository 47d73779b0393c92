"""Replay samplers, pruners and workers on recorded curves, many seeds each.

Reads the tables of `bench_table.py`; how a study is replayed is said in `table_study.py`.

    python benchmarks/replay_tables.py tables.jsonl --output replays.jsonl

A *task* is a sampler, a pruner, workers and a budget on one table with one seed. Finished tasks
are kept in the output, so that a run that was cut off goes on after them; those of other tables or
other code are not taken. Every figure is the mean
over tables and seeds with a 95 % interval (Student's t over seeds, each seed the mean of the
tables); differences are of the same seed and table. Selection and test values are in points, which
are hundredths of macro-F1. In a set of 400 configurations, "best" is the best of the table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import optuna
from code_key import code_key
from optuna.pruners import BasePruner
from table_study import Table, best_row, read_tables, run_study, top_pruned

from tuner.config import PrunerSettings, SamplerSettings
from tuner.search.pruner import build_pruner
from tuner.search.sampler import build_sampler

EPOCHS_MAX = 8
BUDGETS = (200, 400)  # epochs: 25 and 50 trials without pruning
TRIALS = (25, 50)


def _product(**settings) -> Callable[[], BasePruner]:
    return lambda: build_pruner(PrunerSettings(**settings), epochs_max=EPOCHS_MAX)


def _median(startup: int, warmup: int) -> Callable[[], BasePruner]:
    return _product(name="median", startup_trials=startup, warmup_epochs=warmup)


def _percentile(share: float, startup: int, warmup: int) -> Callable[[], BasePruner]:
    return lambda: optuna.pruners.PercentilePruner(
        share, n_startup_trials=startup, n_warmup_steps=warmup + 1
    )


def _patient(patience: int, startup: int, warmup: int) -> Callable[[], BasePruner]:
    return lambda: optuna.pruners.PatientPruner(_median(startup, warmup)(), patience=patience)


def _halving(name: str, first: int, factor: int) -> Callable[[], BasePruner]:
    return _product(name=name, min_resource=first, reduction_factor=factor)


PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": _product(name="none"),
    **{f"median {n}/{e}": _median(n, e) for n in (8, 16) for e in (1, 3, 5)},
    **{f"percentile {p} 8/{e}": _percentile(p, 8, e) for p in (75, 90) for e in (1, 3)},
    "patient 1 8/3": _patient(1, 8, 3),
    **{f"asha {r}/{f}": _halving("asha", r, f) for r, f in ((1, 2), (1, 3), (2, 3), (3, 2))},
    **{f"hyperband {r}/{f}": _halving("hyperband", r, f) for r, f in ((1, 3), (2, 3))},
    **{
        f"predictive {chance:g}/{loss:g}": _product(name="predictive", chance=chance, loss=loss)
        for chance, loss in (
            (0.002, 1.0),
            (0.002, 0.02),
            (0.005, 1.0),
            (0.005, 0.02),
            (0.01, 1.0),
            (0.01, 0.02),
            (0.05, 1.0),
        )
    },
}
SAMPLERS: dict[str, dict] = {
    "random": {"name": "random"},
    "qmc": {"name": "qmc"},
    **{f"tpe {n}": {"name": "tpe", "startup_trials": n} for n in (5, 10, 20, 30)},
    "cmaes 10": {"name": "cmaes", "startup_trials": 10},
}
DEFAULT_PRUNER, DEFAULT_SAMPLER = "predictive 0.002/0.02", "tpe 10"
# TPE costs most of the replay's time: the pruners that matter beside the default.
BESIDE_TPE = ("none", "median 8/3", "asha 2/3", DEFAULT_PRUNER, "predictive 0.002/1")


@dataclass(frozen=True)
class Task:
    question: str
    table: str
    sampler: str
    pruner: str
    seed: int
    workers: int = 1

    @property
    def key(self) -> str:
        return "/".join(map(str, asdict(self).values()))


def tasks_of(question: str, tables: Iterable[str], seeds: int) -> list[Task]:
    cells = {
        "pruners": [("random", p, 1) for p in PRUNERS]
        + [(DEFAULT_SAMPLER, p, 1) for p in BESIDE_TPE],
        "samplers": [(s, p, 1) for s in SAMPLERS for p in ("none", DEFAULT_PRUNER)],
        "workers": [
            (s, p, w)
            for s in ("random", DEFAULT_SAMPLER)
            for p in ("none", DEFAULT_PRUNER)
            for w in (1, 8)
        ],
    }[question]
    return [
        Task(question, table, sampler, pruner, seed, workers)
        for seed in range(seeds)
        for table in tables
        for sampler, pruner, workers in cells
    ]


def run(task: Task) -> dict:
    table = _tables[task.table]
    settings = SamplerSettings(**SAMPLERS[task.sampler])

    def build(number: int):
        return build_sampler(settings, table.space, study_seed=task.seed, number=number)

    found = run_study(
        table,
        build,
        PRUNERS[task.pruner](),
        seed=task.seed,
        **{"n_trials": max(TRIALS)} if task.question == "workers" else {"n_epochs": max(BUDGETS)},
        n_workers=task.workers,
    )
    return {**asdict(task), "key": task.key, **measures(table, found)}


def measures(table: Table, found) -> dict:
    """Give what is asked of one replayed study, all in shares or points."""
    best, result = table.selection.max(), {}
    for budget in BUDGETS:
        row = best_row(table, found, spent=budget)
        result[f"regret at {budget}"] = 100 * float(best - table.selection[row])
        result[f"test at {budget}"] = 100 * float(table.test[row])
    for n in (n for n in TRIALS if n <= len(found.rows)):
        complete = found.rows[:n][~found.pruned[:n]]
        row = complete[table.selection[complete].argmax()]
        result[f"regret after {n}"] = 100 * float(best - table.selection[row])
        result[f"test after {n}"] = 100 * float(table.test[row])
    # The first 50 trials: by then every pruner has run as many.
    first = set(found.order[:50].tolist())
    kept = np.array([row in first for row in found.rows])
    result["epochs saved"] = 1 - float(found.epochs[kept].mean()) / table.n_epochs
    result["pruned"] = float(found.pruned[kept].mean())
    result["top 5 pruned"] = top_pruned(table.selection, found, n=50)
    result["top 5 by test pruned"] = top_pruned(table.test, found, n=50)
    complete = found.rows[kept & ~found.pruned]
    every = found.rows[kept]
    result["lost at 50 trials"] = 100 * float(
        table.selection[every].max() - table.selection[complete].max()
    )
    result["trials"] = len(found.rows)
    return result


_tables: dict[str, Table] = {}


def finished_rows(path: Path, made_with: dict[str, str]) -> dict[str, dict]:
    """Give the finished tasks on the same tables and with the same code, by their keys."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    path.write_bytes(whole)
    rows = map(json.loads, whole.splitlines())
    return {row["key"]: row for row in rows if made_with.items() <= row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, help="JSON lines of bench_table.py")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, continued")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--questions", nargs="+", default=["pruners", "samplers", "workers"])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _tables.update({table.name: table for table in read_tables(options.tables)})
    tasks = [t for q in options.questions for t in tasks_of(q, _tables, options.seeds)]
    made_with = {
        "tables": hashlib.sha256(options.tables.read_bytes()).hexdigest()[:12],
        "code": code_key(),
    }
    rows = finished_rows(options.output, made_with)
    missing = [task for task in tasks if task.key not in rows]
    with (
        Pool(options.processes) as workers,  # forked, so they have the tables
        options.output.open("a", encoding="utf-8") as out,
    ):
        for done, row in enumerate(workers.imap_unordered(run, missing, chunksize=4), start=1):
            rows[row["key"]] = row
            out.write(json.dumps(row | made_with) + "\n")
            out.flush()
            if done % 200 == 0:
                print(f"{done}/{len(missing)}", file=sys.stderr)
    for question in options.questions:
        show(question, [rows[task.key] for task in tasks if task.question == question])


def show(question: str, rows: list[dict]) -> None:
    """Print a Markdown table: means, and differences to the base of the question."""
    cells: dict[tuple, dict[tuple, dict]] = {}
    for row in rows:
        cell = cells.setdefault((row["sampler"], row["pruner"], row["workers"]), {})
        cell[row["seed"], row["table"]] = row
    shares = (
        ("epochs saved", "top 5 pruned", "top 5 by test pruned") if question == "pruners" else ()
    )
    at = [f"after {n}" for n in TRIALS] if question == "workers" else [f"at {n}" for n in BUDGETS]
    names = [f"{what} {when}" for what in ("regret", "test") for when in at]
    print(f"\n## {question}\n")
    print("| sampler | pruner | workers | " + " | ".join([*shares, "lost", *names]) + " |")
    print("|" + " --- |" * (4 + len(shares) + len(names)))
    for cell, found in cells.items():
        base = cells[BASES[question](cell)]
        figures = [f"{100 * mean(found, name)[0]:.1f} %" for name in shares]
        figures.append("{:.2f} ± {:.2f}".format(*mean(found, "lost at 50 trials")))
        for name in names:
            if found is base:
                figures.append("{:.2f} ± {:.2f}".format(*mean(found, name)))
            else:
                figures.append("{:+.2f} ± {:.2f}".format(*mean(found, name, base)))
        print("| " + " | ".join(map(str, [*cell, *figures])) + " |")


BASES: dict[str, Callable[[tuple], tuple]] = {
    "pruners": lambda cell: (cell[0], "none", 1),
    "samplers": lambda cell: ("random", "none", 1),
    "workers": lambda cell: (cell[0], cell[1], 1),
}


def mean(found: dict[tuple, dict], name: str, base: dict[tuple, dict] | None = None):
    """Give a mean, or mean difference to `base`, and half its 95 % interval over the seeds."""
    from scipy.stats import t

    values: dict[int, list[float]] = {}
    for (seed, table), row in found.items():
        minus = 0.0 if base is None else base[seed, table][name]
        values.setdefault(seed, []).append(row[name] - minus)
    per_seed = np.array([np.mean(of_seed) for of_seed in values.values()])
    if len(per_seed) < 2:
        return float(per_seed.mean()), float("nan")
    error = per_seed.std(ddof=1) / np.sqrt(len(per_seed))
    return float(per_seed.mean()), float(t.ppf(0.975, len(per_seed) - 1) * error)


if __name__ == "__main__":
    main()
