"""A study on a real Ray cluster of several nodes, two of which die in the middle of it."""

from __future__ import annotations

import subprocess
import time

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from tests.conftest import SMALL, command, environment, make_rows, write_csv
from tests.end_to_end.catching import SLOW

NODE = {"object_store_memory": 80 * 2**20, "memory": 4 * 10**9}
TRIALS = 8


@pytest.fixture
def cluster(monkeypatch):
    """Four nodes with a raylet each; the first, which the driver joins, has no cores."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    head = {**NODE, "num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(3):
        cluster.add_node(num_cpus=1, **NODE)
    yield cluster
    cluster.shutdown()


def raylet_of(node):
    (raylet,) = node.all_processes["raylet"]
    return raylet.process.pid


def trials_of(url):
    """The study's trials, none before it is made."""
    storage = optuna.storages.RDBStorage(url)
    try:
        (study,) = optuna.get_all_study_summaries(storage)
        return optuna.load_study(study_name=study.study_name, storage=storage).trials
    except (ValueError, KeyError):
        return []
    finally:
        storage.remove_session()
        storage.engine.dispose()


def node_of(trial, nodes):
    """The node whose raylet started the process that runs a trial; None if it has ended."""
    try:
        parent = psutil.Process(trial.user_attrs["owner"]["pid"]).ppid()
    except (psutil.NoSuchProcess, KeyError):
        return None
    return next((node for node in nodes if raylet_of(node) == parent), None)


def wait_for_a_busy_node(url, nodes, process, *, finished):
    """A node that runs a trial now, once so many have finished."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        trials = trials_of(url)
        if sum(trial.state == TrialState.COMPLETE for trial in trials) >= finished:
            for trial in trials:
                if trial.state == TrialState.RUNNING:
                    node = node_of(trial, nodes)
                    if node is not None:
                        return node
        time.sleep(0.1)
    raise AssertionError("no node ran a trial")


def test_study_ends_whole_when_nodes_die(tmp_path, cluster, postgres_url):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    write_csv(tmp_path / "reviews.csv", make_rows(200))
    process = subprocess.Popen(
        command("optimize", "--data", "reviews.csv", "--trials", str(TRIALS), *SMALL,
                *SLOW, "--engine", "ray", "--ray-address", cluster.address,
                "--workers", "2", "--set", "workers.memory_gb=1"),
        cwd=tmp_path, env=environment(OPTUNA_STORAGE=postgres_url), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    dead: set[int] = set()
    try:
        for finished in (1, 2):
            # The second node dies while Ray starts the first one's worker on the third: that
            # worker ends the study.
            nodes = list(cluster.worker_nodes)
            victim = wait_for_a_busy_node(url, nodes, process, finished=finished)
            dead |= {p.pid for p in psutil.Process(raylet_of(victim)).children(recursive=True)}
            cluster.remove_node(victim, allow_graceful=False)
        output, errors = process.communicate(timeout=400)
    finally:
        process.kill()

    assert process.returncode == 0, errors
    trials = trials_of(url)
    ended = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert len(ended) == TRIALS
    assert not any(trial.state == TrialState.RUNNING for trial in trials)
    retried = [trial for trial in trials if trial.user_attrs.get("retried")]
    assert retried  # a node that dies runs a trial
    assert {trial.state for trial in retried} == {TrialState.FAIL}
    assert {trial.user_attrs["owner"]["pid"] for trial in retried} <= dead
    last = max(ended, key=lambda trial: trial.datetime_complete)
    assert last.user_attrs["owner"]["pid"] not in dead
    # No worker ran in the process of the study.
    assert process.pid not in {trial.user_attrs["owner"]["pid"] for trial in ended}
    assert "sealed test" in output
