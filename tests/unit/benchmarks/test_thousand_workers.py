"""The simulation of many workers, against what can be worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.thousand_workers import Simulation, Station, costs_at, run


def row(running, claim, report, server):
    return {
        "running": running, "server_milliseconds": server,
        "milliseconds": {"claim": claim, "suggest": 0.0, "report": report, "tell": 0.0},
    }  # fmt: skip


def visitor(station, seconds, left):
    while True:
        yield "take", station
        yield seconds
        yield "give", station
        left.append(1)


def test_station_serves_so_many_at_once_and_is_busy_all_the_time():
    station, left = Station(2), []

    Simulation(visitor(station, 1.0, left) for _ in range(5)).run(10.5)
    station.note(10.5)

    assert len(left) == 20
    assert station.busy_seconds == pytest.approx(21.0)


def test_costs_lie_on_the_line_between_the_measured_rows():
    rows = [row(0, 10.0, 1.0, 4.0), row(200, 50.0, 3.0, 10.0)]

    costs = costs_at(rows, 1000)

    assert costs.whole["claim"] == pytest.approx(0.210)
    assert costs.whole["report"] == pytest.approx(0.011)
    assert sum(costs.database.values()) + 9 * costs.database["report"] == pytest.approx(0.034)


def test_a_lock_that_is_held_beyond_the_databases_work_lets_fewer_trials_through():
    # 20 ms of the database's processor, and the lock for 200 ms: five trials a second.
    rows = [row(0, 300.0, 0.0, 20.0) | {"locked_milliseconds": 200.0}]

    found = run(rows, workers=1_000, trial_seconds=60.0, epochs=4, cores=2)

    assert found["lock_busy"] == pytest.approx(1.0, abs=0.01)
    assert found["trials_of_ideal"] == pytest.approx(0.3, abs=0.02)
    assert found["database_busy"] < 0.1


def test_few_workers_lose_nothing_and_too_many_share_what_the_lock_lets_through():
    rows = [row(0, 100.0, 0.0, 100.0)]  # all of a trial's work is under the lock

    few = run(rows, workers=30, trial_seconds=60.0, epochs=4, cores=2)
    many = run(rows, workers=1_000, trial_seconds=60.0, epochs=4, cores=2)

    assert few["trials_of_ideal"] == pytest.approx(1.0, abs=0.03)
    assert few["lock_busy"] == pytest.approx(30 * 0.1 / 60, abs=0.01)
    assert few["connections_fit"]
    assert many["lock_busy"] == pytest.approx(1.0, abs=0.01)
    # Ten trials a second pass, of 16.7 that a thousand workers could run.
    assert many["trials_of_ideal"] == pytest.approx(0.6, abs=0.02)
    assert not many["connections_fit"]
