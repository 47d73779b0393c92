"""A thousand workers on one database, simulated: where it breaks first.

Discrete events: workers train, and in between claim, report, tell and beat. A claim holds the lock
of the study's row for as long as the product was seen to hold it for a trial, its own work between
two statements included; where that was not measured, for the whole claim. The database computes on
so many cores; what a worker does itself costs its own time alone. What each takes is measured: the
rows of `storage_rates.py` for one process on PostgreSQL, with few and with many running trials,
and a straight line between them. Of a file with rows of several codes the last one's are taken.

    python -m benchmarks.thousand_workers rates.jsonl
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

BEAT_SECONDS = 15.0
CONNECTIONS_OF_A_WORKER = 2  # the trial's and the heartbeat's
CONNECTIONS_MAX = 100  # PostgreSQL's default


@dataclass
class Station:
    """Serves so many at once, the others in the order in which they came."""

    servers: int
    busy_seconds: float = 0.0
    queue: deque = field(default_factory=deque)

    def __post_init__(self):
        self.free = self.servers
        self.since = 0.0

    def note(self, now):
        self.busy_seconds += (self.servers - self.free) * (now - self.since)
        self.since = now


class Simulation:
    """Runs generators; each yields seconds to sleep, or "take" or "give" and a station."""

    def __init__(self, processes):
        self._order = count()
        self._events = [(0.0, next(self._order), process) for process in processes]

    def run(self, until):
        """Go on until a time."""
        while self._events and self._events[0][0] <= until:
            now, _, process = heapq.heappop(self._events)
            self._go_on(process, now)

    def _go_on(self, process, now):
        for step in process:
            if isinstance(step, float):
                self._call(process, now + step)
                return
            what, station = step
            station.note(now)
            if what == "give":
                if station.queue:
                    self._call(station.queue.popleft(), now)
                else:
                    station.free += 1
            elif station.free:
                station.free -= 1
            else:
                station.queue.append(process)
                return

    def _call(self, process, at):
        heapq.heappush(self._events, (at, next(self._order), process))


@dataclass(frozen=True)
class Costs:
    """Seconds of each step: of the database's processor, and with the worker's own.

    `locked` are those a trial holds the lock of the study's row.
    """

    database: dict[str, float]
    whole: dict[str, float]
    locked: float


def costs_at(rows, running):
    """Interpolate between the measured rows of fewest and most running trials."""
    few, many = min(rows, key=lambda r: r["running"]), max(rows, key=lambda r: r["running"])
    span = many["running"] - few["running"]
    share = (running - few["running"]) / span if span else 0.0

    def line(value):
        return max(0.0, (value(few) + share * (value(many) - value(few))) / 1000)

    whole = {stage: line(lambda r, s=stage: r["milliseconds"][s]) for stage in few["milliseconds"]}
    # The database's time is known for a trial, and is dealt out as the steps' own times are.
    of_trial = line(lambda r: r["server_milliseconds"])
    sum_of_trial = whole["claim"] + whole["suggest"] + 10 * whole["report"] + whole["tell"]
    database = {stage: of_trial * seconds / sum_of_trial for stage, seconds in whole.items()}
    locked = line(lambda r: r.get("locked_milliseconds", r["milliseconds"]["claim"]))
    return Costs(database, whole, locked)


@dataclass
class Tally:
    finished: int = 0


def step(costs, stage, cores, lock=None):
    """Ask the database, under the lock or not, and do the rest alone."""
    spent = costs.database[stage]
    if lock is not None:
        yield "take", lock
    yield "take", cores
    yield spent
    yield "give", cores
    if lock is not None:
        yield max(0.0, costs.locked - spent)
        yield "give", lock
        spent = max(spent, costs.locked)
    yield max(0.0, costs.whole[stage] - spent)


def worker(costs, tally, cores, lock, *, trial_seconds, epochs, chance):
    yield chance.uniform(0.0, trial_seconds)  # they did not all start at once
    while True:
        yield from step(costs, "claim", cores, lock)
        yield from step(costs, "suggest", cores)
        pace = trial_seconds * chance.uniform(0.7, 1.3) / epochs
        for _ in range(epochs):
            yield pace
            yield from step(costs, "report", cores)
        yield from step(costs, "tell", cores)
        tally.finished += 1


def heart(costs, cores, chance):
    yield chance.uniform(0.0, BEAT_SECONDS)
    while True:
        yield from step(costs, "beat", cores)
        yield BEAT_SECONDS


def run(rows, *, workers, trial_seconds, epochs, cores, seed=0):
    """Give what so many workers get done, against what they would without a database."""
    costs = costs_at(rows, workers)
    # A beat writes one row, as a report does among other things.
    few = costs_at(rows, 0)
    costs.database["beat"] = few.database["report"]
    costs.whole["beat"] = few.database["report"]
    database, lock, tally = Station(cores), Station(1), Tally()
    chance = random.Random(seed)
    processes = [
        worker(
            costs, tally, database, lock, trial_seconds=trial_seconds, epochs=epochs,
            chance=chance,
        )
        for _ in range(workers)
    ]  # fmt: skip
    processes += [heart(costs, database, chance) for _ in range(workers)]
    simulation = Simulation(processes)
    warm, until = 5 * trial_seconds, 25 * trial_seconds
    simulation.run(warm)
    before = tally.finished
    for station in (database, lock):
        station.note(warm)
        station.busy_seconds = 0.0
    simulation.run(until)
    for station in (database, lock):
        station.note(until)
    ideal = workers * (until - warm) / trial_seconds
    own = costs.whole["claim"] + costs.whole["suggest"] + costs.whole["tell"]
    own += epochs * costs.whole["report"]
    return {
        "workers": workers, "trial_seconds": trial_seconds, "database_cores": cores,
        "trials_of_ideal": round((tally.finished - before) / ideal, 3),
        "lock_busy": round(lock.busy_seconds / (until - warm), 3),
        "database_busy": round(database.busy_seconds / (until - warm) / cores, 3),
        "seconds_around_a_trial_without_waiting": round(own, 2),
        "connections": CONNECTIONS_OF_A_WORKER * workers,
        "connections_fit": CONNECTIONS_OF_A_WORKER * workers <= CONNECTIONS_MAX,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rates", type=Path, help="lines of storage_rates.py")
    parser.add_argument("--before", type=int, help="finished trials; default: the most measured")
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 50, 200, 500, 1_000])
    parser.add_argument("--trial-seconds", type=float, nargs="+", default=[10.0, 60.0, 600.0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.rates.read_text("utf-8").splitlines()]
    code = lines[-1].get("code") if lines else None
    rows = [
        row
        for row in lines
        if (row["storage"], row["processes"], row.get("code")) == ("postgresql", 1, code)
    ]
    if not rows:
        parser.error(f"{options.rates} has no row of one process on postgresql")
    before = options.before or max(row["before"] for row in rows)
    rows = [row for row in rows if row["before"] == before]
    for trial_seconds in options.trial_seconds:
        for workers in options.workers:
            found = run(
                rows, workers=workers, trial_seconds=trial_seconds, epochs=options.epochs,
                cores=options.cores,
            )  # fmt: skip
            print(json.dumps(found))


if __name__ == "__main__":
    main()
