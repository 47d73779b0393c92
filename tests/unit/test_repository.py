"""What the repository promises about itself."""

from __future__ import annotations

import importlib.util
import pickle
import re
import tomllib

import pytest
import yaml

from tests.conftest import ROOT
from tuner.cli.main import COMMANDS

READMES = ("README.md", "README.zh-CN.md")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


OF_OPERATORS = {
    "cache": "docs/cache.md",
    "pretrain": "docs/encoders.md",
    "replay": "docs/reliability.md",
    "storage": "docs/reliability.md",
    "submit": "docs/workers.md",
    "worker": "docs/workers.md",
}


def test_every_command_is_in_both_readmes_and_those_of_operators_in_their_page():
    for name in COMMANDS:
        for page in [OF_OPERATORS[name]] if name in OF_OPERATORS else READMES:
            assert f"tuner {name}" in read(page)


def test_every_setting_is_documented():
    from tuner.config.loading import _known_names

    documented = read("docs/settings.md")
    missing = [
        name
        for name in _known_names()
        if not name.startswith("space.") and f"`{name}`" not in documented
    ]
    assert missing == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_pins_by_hash_and_names_no_host(lock):
    text = read(lock)
    packages = re.findall(r"^[a-z0-9][^\s=]*==[^\s\\]+", text, re.MULTILINE)
    wanted = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]

    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(packages)
    names = {package.split("==")[0].lower() for package in packages}
    assert {re.match(r"[\w-]+", d)[0].lower() for d in wanted} <= names


def test_compose_file_keeps_its_promises():
    compose = yaml.safe_load(read("docker-compose.yml"))
    services = compose["services"]

    assert set(services) == {"database", "optimize", "worker", "dashboard"}
    assert "healthcheck" in services["database"]
    assert services["database"]["volumes"] == ["database:/var/lib/postgresql"]
    assert "ports" not in services["database"]
    # So that it can be scaled.
    assert not {"container_name", "hostname", "ports"} & {*services["worker"]}
    assert all(port.startswith("127.0.0.1:") for port in services["dashboard"]["ports"])
    for service in services.values():
        for key, value in service["environment"].items():
            if "PASSWORD" in key:
                assert value.startswith("${POSTGRES_PASSWORD:?")
    assert services["dashboard"]["environment"]["TUNER_DASHBOARD_TOKEN"].startswith(
        "${TUNER_DASHBOARD_TOKEN:?"
    )
    dockerfile = read("Dockerfile")
    assert dockerfile.index("USER tuner") < dockerfile.index("ENTRYPOINT")
    assert "--require-hashes" in dockerfile


def test_commands_of_the_compose_file_are_understood():
    import click

    from tuner.cli.dashboard import dashboard
    from tuner.cli.optimize import optimize
    from tuner.cli.worker import worker

    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    commands = {"optimize": optimize, "worker": worker, "dashboard": dashboard}
    for name, command in commands.items():
        first, *arguments = services[name]["command"]
        assert first == name
        context = command.make_context(first, arguments, resilient_parsing=False)
        assert isinstance(context, click.Context)


def test_news_pickles_are_read_without_running_anything(tmp_path):
    spec = importlib.util.spec_from_file_location("collect", ROOT / "studies/news/collect.py")
    collect = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(collect)

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    assert collect.read_part(pickle.dumps((["t"], ["c"], [1]))) == [("t", "c", 1)]
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        collect.read_part(pickle.dumps(([Evil()], ["c"], [1])))
    assert not list(tmp_path.iterdir())


def test_public_names_load_lazily_and_exist():
    import tuner

    for name in tuner.__all__:
        assert getattr(tuner, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        tuner.nonsense  # noqa: B018 - the access is the test
