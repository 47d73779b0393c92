"""What the storage carries: claim, parameters, ten reports with the pruner's answers, tell.

A trial takes no time of its own, so these are bounds. A row is a study with at least so many
finished trials before it (those of the rows above stay), and so many that others run meanwhile.
How long a trial holds the lock of the study's row is measured too (PostgreSQL), from the answer to
`SELECT … FOR UPDATE` to the commit. A row that is in the output already is not measured again.

    python -m benchmarks.storage_rates --processes 1 4 16 --trials 10 1000 --output rates.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median

import optuna
import psutil
import sqlalchemy

from benchmarks.chaos import start_postgres
from benchmarks.code_key import code_key
from benchmarks.filled_study import fill
from benchmarks.json_lines import JsonLines
from benchmarks.quiet import Quiet
from tuner.config import load_settings
from tuner.metrics import METRICS
from tuner.records import Scores, Spent, TrialOutcome
from tuner.search import Endurance, Search, check_failures
from tuner.search.owner import claiming_owner

REPORTS = 10
STORAGES = ("sqlite", "postgresql")
STAGES = ("claim", "suggest", "report", "tell")
PATIENT = Endurance(grace_seconds=86_400.0)  # the others' trials do not beat


@contextmanager
def database(storage):
    """Give the URL of an empty database of its own, and its server's process id if it has one."""
    with tempfile.TemporaryDirectory(prefix="tuner-rates-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if storage == "sqlite":
            yield f"sqlite:///{folder / 'rates.db'}", None
            return
        server, url, _ = start_postgres(folder)
        try:
            yield url.replace("postgresql://", "postgresql+psycopg://", 1), server.get_pid()
        finally:
            server.cleanup()


class Nowhere:
    """Keeps nothing; a checkpoint that is never due."""

    def keep_weights(self, outcome, *, n_better):
        return "none"

    def checkpoint(self, origin, attempt, identity):
        return self

    def load(self):
        return None

    def is_due(self):
        return False

    def clear(self):
        pass


def value_of(params):
    return 1.0 - abs(params["model.dropout"] - 0.3)


def run_stub(settings, *, seeds, report, stop_requested, checkpoint):
    value = 1.0 - abs(settings.model.dropout - 0.3)
    began = time.perf_counter()
    for epoch in range(1, REPORTS + 1):
        # The pruner is asked as always; whatever it says, every trial makes its ten reports.
        with suppress(optuna.TrialPruned):
            report(epochs_completed=epoch, value=value * epoch / REPORTS, spent=Spent({}))
    seconds = (time.perf_counter() - began) / REPORTS
    scores = Scores(1, dict.fromkeys(METRICS, value))
    return TrialOutcome(
        value=value, best_epoch=1, validation=scores, selection=scores, history=(),
        spent=Spent({"report": seconds}), weights={}, n_parameters=0,
    )  # fmt: skip


def open_study(url, sampler):
    settings = load_settings(overrides=[("sampler.name", sampler)])
    return Search(
        settings, fingerprint="f" * 64, storage_url=url, study_name="rates", endurance=PATIENT
    )


def work(study, total, barrier, seconds):
    """Be one worker, forked from a process that has loaded the study, its connections closed."""
    lock = LockTime(study._storage.engine)
    with closing(study):
        barrier.wait()
        began = time.perf_counter()
        is_running = True
        while is_running:
            check_failures(study.trials())  # as a worker does
            is_running = study.run_one(
                run_stub, total=total, progress=Quiet(), stop_requested=lambda: None,
                store=Nowhere(),
            )  # fmt: skip
        seconds.put((time.perf_counter() - began, lock.seconds))
        barrier.wait()  # the server forgets what a connection has cost when it closes
    os._exit(0)


class LockTime:
    """Adds up how long the transactions of an engine hold the lock of a study's row."""

    def __init__(self, engine):
        self.seconds = 0.0
        self._since = {}
        for name, watch in (
            ("after_cursor_execute", self._asked),
            ("commit", self._ended),
            ("rollback", self._ended),
        ):
            sqlalchemy.event.listen(engine, name, watch)

    def _asked(self, connection, cursor, statement, *_):
        if "FOR UPDATE" in statement and "FROM studies" in statement:
            self._since.setdefault(id(connection), time.perf_counter())

    def _ended(self, connection):
        since = self._since.pop(id(connection), None)
        if since is not None:
            self.seconds += time.perf_counter() - since


class Server:
    """The database's own processes: their seconds on a processor, and its clients' connections."""

    def __init__(self, url, pid):
        self._engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        self._root = psutil.Process(pid)
        self._ended = threading.Event()
        self.connections = 0

    def _cpu(self):
        times = [self._root.cpu_times()]
        own = times[0].user + times[0].system + times[0].children_user + times[0].children_system
        children = [child.cpu_times() for child in self._root.children()]
        return own + sum(each.user + each.system for each in children)

    def __enter__(self):
        with self._engine.connect() as connection:
            for tidy in ("VACUUM ANALYZE", "CHECKPOINT"):  # what filling the study has left to do
                connection.execute(sqlalchemy.text(tidy))
        self._before = self._cpu()
        self._watch = threading.Thread(target=self._count_connections, daemon=True)
        self._watch.start()
        return self

    def _count_connections(self):
        query = sqlalchemy.text(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        with self._engine.connect() as connection:
            while not self._ended.wait(0.1):
                self.connections = max(self.connections, connection.execute(query).scalar() - 1)

    def __exit__(self, *_):
        self._ended.set()
        self._watch.join()
        self.cpu_seconds = self._cpu() - self._before
        self._engine.dispose()


def measure(url, sampler, *, before, running, processes, measured, server_pid=None):
    with closing(open_study(url, sampler)) as study:
        counts = study.counts()
        fill(study, max(0, before - counts["finished"]), value_of=value_of)
        more = max(0, running - counts["running"])
        fill(study, more, value_of=value_of, owner=claiming_owner())
        counts = study.counts()
        known = {trial.number for trial in study.trials()}  # the first load is not measured
    total = counts["finished"] + counts["running"] + measured
    context = multiprocessing.get_context("fork")
    barrier, seconds = context.Barrier(processes + 1), context.SimpleQueue()
    workers = [
        context.Process(target=work, args=(study, total, barrier, seconds))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    if server_pid is None:
        server = None
        barrier.wait()
        spent = [seconds.get() for _ in workers]
    else:
        with Server(url, server_pid) as server:
            barrier.wait()
            spent = [seconds.get() for _ in workers]
    barrier.wait()
    for worker in workers:
        worker.join()
    with closing(open_study(url, sampler)) as study:
        new = [trial for trial in study.trials() if trial.number not in known]
    longest = max(each for each, _ in spent)
    noted = [trial.attributes["seconds"] for trial in new]
    row = {
        "before": before, "running": running, "processes": processes, "trials": len(new),
        "trials_per_second": round(len(new) / longest, 2),
        "milliseconds": {
            # A trial notes what telling the one before it has cost: 0.0 at a process's first.
            stage: round(1000 * median(found), 1)
            for stage in STAGES
            if (found := [trial[stage] for trial in noted if trial[stage]])
        },
    }  # fmt: skip
    if server is not None:
        row["server_milliseconds"] = round(1000 * server.cpu_seconds / len(new), 1)
        row["connections"] = server.connections
        row["locked_milliseconds"] = round(1000 * sum(held for _, held in spent) / len(new), 1)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--storage", choices=STORAGES, action="append")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--running", type=int, nargs="+", default=[0], help="by others")
    parser.add_argument("--measured", type=int, default=64)
    parser.add_argument("--output", type=Path, default=Path("runs/bench/storage_rates.jsonl"))
    options = parser.parse_args()
    lines = JsonLines(options.output, code=code_key())
    cases = [
        {"sampler": options.sampler, "measured": options.measured, "before": before,
         "running": running, "processes": processes}
        for running, before, processes in itertools.product(
            sorted(options.running), sorted(options.trials), options.processes
        )
    ]  # fmt: skip
    for storage in options.storage or STORAGES:
        missing = [case for case in cases if not lines.having(storage=storage, **case)]
        if not missing:
            continue
        with database(storage) as (url, pid):
            for case in missing:
                load = round(os.getloadavg()[0], 1)
                row = measure(url, **case, server_pid=pid)
                lines.add({"storage": storage, **case, **row, "load_at_start": load})


if __name__ == "__main__":
    main()
