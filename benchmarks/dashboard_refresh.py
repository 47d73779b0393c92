"""How long the dashboard takes to load a study of many trials, and to refresh it.

The page's own calls, answered by the application that `tuner dashboard` serves, without a network.

    python -m benchmarks.dashboard_refresh --finished 10000 --output refresh.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from wsgiref.util import setup_testing_defaults

import optuna_dashboard

from benchmarks.code_key import code_key
from benchmarks.filled_study import fill
from benchmarks.json_lines import JsonLines
from benchmarks.storage_rates import STORAGES, database, open_study, value_of
from tuner.search import cached_storage
from tuner.search.owner import claiming_owner

PAUSE_SECONDS = 11.0  # the page asks every ten, and the application remembers for as long


def get(application, path, query=""):
    """Give the seconds and the content of an answer."""
    environ = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    said = []
    began = time.perf_counter()
    body = b"".join(application(environ, lambda status, headers, *_: said.append(status)))
    seconds = time.perf_counter() - began
    assert said[0].startswith("200"), (path, said)
    return seconds, json.loads(body)


def measure(url, *, finished, running, refreshes):
    with closing(open_study(url, "tpe")) as study:
        fill(study, finished, value_of=value_of)
        fill(study, running, value_of=value_of, owner=claiming_owner())
        study_id = study._study._study_id
        with cached_storage(url) as storage:
            application = optuna_dashboard.wsgi(storage)
            path = f"/api/studies/{study_id}"
            first, content = get(application, path, "after=0")
            assert len(content["trials"]) == finished + running
            refreshed, listed, importances = [], [], []
            for number in range(refreshes):
                fill(study, 1, value_of=value_of)  # a trial has ended meanwhile
                time.sleep(PAUSE_SECONDS)
                listed.append(get(application, "/api/studies")[0])
                seconds, content = get(application, path, f"after={finished}")
                assert len(content["trials"]) == running + number + 1
                refreshed.append(seconds)
                importances.append(get(application, f"{path}/param_importances")[0])
    return {
        "finished": finished, "running": running, "first_load_seconds": round(first, 2),
        "refresh_seconds": round(median(refreshed), 4),
        "list_of_studies_seconds": round(median(listed), 4),
        "importances_seconds": round(median(importances), 4),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--storage", choices=STORAGES, action="append")
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--running", type=int, default=8)
    parser.add_argument("--refreshes", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("runs/bench/dashboard_refresh.jsonl"))
    options = parser.parse_args()
    lines = JsonLines(options.output, code=code_key())
    case = {
        "finished": options.finished, "running": options.running, "refreshes": options.refreshes,
    }  # fmt: skip
    for storage in options.storage or STORAGES:
        if lines.having(storage=storage, **case):
            continue
        load = round(os.getloadavg()[0], 1)
        with database(storage) as (url, _):
            row = measure(url, **case)
        lines.add({"storage": storage, **case, **row, "load_at_start": load})


if __name__ == "__main__":
    main()
