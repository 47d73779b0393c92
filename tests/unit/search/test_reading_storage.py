"""Readers leave a database as they find it."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import optuna
import pytest

from tuner.errors import ConfigError, StorageError
from tuner.search import cached_storage, close_storage, list_studies, open_storage
from tuner.search.storage import probe_storage


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.fixture
def written(tmp_path):
    """The URL of a storage with one study, closed."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = open_storage(url, create=True)
    optuna.create_study(storage=storage, study_name="s")
    close_storage(storage)
    return url


def foreign(path, *, table="people", mode="delete"):
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode={mode}")
    database.execute(f"CREATE TABLE {table} (name TEXT)")
    database.commit()
    database.close()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("table", ["people", "studies"])
def test_database_of_another_program_is_refused_and_left_as_it_is(tmp_path, table, mode):
    url = foreign(tmp_path / "people.db", table=table, mode=mode)
    before = files(tmp_path)

    with pytest.raises(ConfigError, match=r"--storage .*people\.db holds no studies"):
        list_studies(url)
    with pytest.raises(ConfigError, match="holds no studies"), cached_storage(url):
        pass

    assert files(tmp_path) == before


def test_reading_changes_nothing_and_leaves_nothing_behind(written, tmp_path):
    before = files(tmp_path)

    assert [study["study"] for study in list_studies(written)] == ["s"]

    assert files(tmp_path) == before


def test_place_that_cannot_be_written_can_be_read(written, tmp_path, monkeypatch):
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))
    asked = []
    connect = sqlite3.connect

    def cannot_write_beside(address, **arguments):
        # What SQLite says of a write-ahead log on a read-only file system.
        asked.append(address)
        if "immutable" not in address:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, **arguments)

    monkeypatch.setattr(sqlite3, "connect", cannot_write_beside)

    assert [study["study"] for study in list_studies(written)] == ["s"]
    with cached_storage(written) as storage:
        assert optuna.get_all_study_names(storage) == ["s"]
    assert all("mode=ro" in address for address in asked)


def test_dashboard_can_write_where_the_file_can_be_written(written):
    with cached_storage(written) as storage:
        optuna.create_study(storage=storage, study_name="t")

    assert {study["study"] for study in list_studies(written)} == {"s", "t"}


def test_probe_of_a_database_that_does_not_answer_is_quick_and_shows_no_password():
    with socket.socket() as silent:  # it takes the connection and never says anything
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        began = time.monotonic()

        with pytest.raises(StorageError) as caught:
            probe_storage(f"postgresql://u:geheim@127.0.0.1:{port}/d")

    assert time.monotonic() - began < 20
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_probe_writes_no_file_and_knows_one_that_is_no_database(tmp_path):
    (tmp_path / "notes.txt").write_text("my notes")

    probe_storage(f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(StorageError, match="no SQLite database"):
        probe_storage(f"sqlite:///{tmp_path / 'notes.txt'}")

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_looking_at_a_file_keeps_the_log_that_this_process_writes_into(written, tmp_path):
    """A file that is opened and closed otherwise costs its process the locks it holds there."""
    storage = open_storage(written, create=True)
    study = optuna.load_study(storage=storage, study_name="s")
    study.enqueue_trial({})
    probe_storage(written)

    # A connection that is the last one takes the log away.
    last = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM studies')"
    subprocess.run([sys.executable, "-c", last, tmp_path / "study.db"], check=True)

    assert (tmp_path / "study.db-wal").exists()
    study.enqueue_trial({})
    close_storage(storage)
    with cached_storage(written) as there:
        assert len(optuna.load_study(storage=there, study_name="s").trials) == 2


def test_reader_that_comes_while_the_tables_are_made_is_told_so(written, tmp_path):
    with sqlite3.connect(tmp_path / "study.db") as making:
        making.execute("DELETE FROM version_info")
        making.execute("DELETE FROM alembic_version")
    making.close()

    with pytest.raises(ConfigError, match="holds no studies"):
        list_studies(written)


def test_file_whose_pages_did_not_all_leave_the_log_when_the_disk_was_full_goes_on(tmp_path):
    url, path = f"sqlite:///{tmp_path / 'study.db'}", tmp_path / "study.db"
    storage = open_storage(url, create=True)
    close_storage(storage)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE more AS SELECT zeroblob(100000) AS content")
        connection.commit()
        log = (tmp_path / "study.db-wal").read_bytes()
    page = 4096
    # The first page is new, and says how many there are; the others found no room.
    path.write_bytes(path.read_bytes()[:page] + before[page:])
    (tmp_path / "study.db-wal").write_bytes(log)

    probe_storage(url)
    assert list_studies(url) == []
    storage = open_storage(url, create=True)
    optuna.create_study(storage=storage, study_name="s")
    close_storage(storage)

    assert [study["study"] for study in list_studies(url)] == ["s"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT length(content) FROM more").fetchone() == (100000,)
