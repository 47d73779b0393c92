from pathlib import Path

import pytest

from tuner.config import Settings
from tuner.errors import ConfigError
from tuner.service import build_workers
from tuner.service.local_workers import LocalWorkers
from tuner.service.plan import StudyPlan


def plan(url):
    return StudyPlan(Settings(), None, None, "s", url, Path("runs"))


POSTGRES = plan("postgresql://ann:secret@db/t")
SQLITE = plan("sqlite:///a.db")


def test_no_workers_are_this_process_and_some_are_processes():
    assert build_workers(SQLITE, 0, engine="local", ray_address=None) is None
    workers = build_workers(SQLITE, 2, engine="local", ray_address=None)
    assert isinstance(workers, LocalWorkers)


def test_ray_refuses_sqlite_which_other_nodes_do_not_reach():
    with pytest.raises(ConfigError, match="--engine ray must have a postgresql:// storage"):
        build_workers(SQLITE, 2, engine="ray", ray_address=None)


def test_ray_address_goes_with_its_engine():
    with pytest.raises(ConfigError, match="--ray-address goes with --engine ray; got 'auto'"):
        build_workers(POSTGRES, 2, engine="local", ray_address="auto")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "refused"),
        ("ray://127.0.0.1:1", "refused"),
        ("127.0.0.1", "HOST:PORT"),
        ("127.0.0.1:x", "HOST:PORT"),
        ("127.0.0.1:99999999", "must be that of a running"),
    ],
)
def test_address_where_no_cluster_answers_is_named(address, reason):
    with pytest.raises(ConfigError, match="--ray-address") as refused:
        build_workers(POSTGRES, 2, engine="ray", ray_address=address)
    assert reason in str(refused.value)
    assert repr(address) in str(refused.value)


def test_environment_names_the_cluster_too(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")

    with pytest.raises(ConfigError, match="'127.0.0.1:1' is not"):
        build_workers(POSTGRES, 2, engine="ray", ray_address=None)


def test_missing_ray_is_said_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)

    with pytest.raises(ConfigError, match="pip install"):
        build_workers(POSTGRES, 2, engine="ray", ray_address=None)


def test_resources_of_workers_do_not_make_another_study():
    from tuner.config import settings_digest

    other = Settings.model_validate({"workers": {"cpus": 4, "gpus": 1, "memory_gb": 8}})

    assert settings_digest(other) == settings_digest(Settings())
