"""The database goes away, and workers fall silent: nothing is lost and nobody crashes."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing

import psutil
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError, PendingRollbackError

from tests.contract.conftest import new_database
from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.config import load_settings
from tuner.errors import ConfigError, Interrupted, StorageError, TrialTaken
from tuner.search import (
    Endurance,
    Search,
    StudyTerms,
    close_storage,
    list_studies,
    open_storage,
    parse_url,
    postgres_sessions,
    sqlite_file,
    storage_errors,
)
from tuner.search.endurance import is_passing
from tuner.search.heartbeat import Heartbeat
from tuner.search.owner import claiming_owner
from tuner.service import run_worker
from tuner.service.versions import code_identity

CUT = "select pg_terminate_backend(pid) from pg_stat_activity"
QUICK = Endurance(beat_seconds=0.2, outage_seconds=20.0, grace_seconds=30.0)


@pytest.fixture
def open_study():
    opened = []

    def start(url, *, endurance=QUICK, **overrides):
        settings = load_settings(overrides=[("pruner.name", "none"), *overrides.items()])
        opened.append(
            Search(settings, fingerprint="f" * 64, storage_url=url, study_name="s",
                   endurance=endurance)
        )  # fmt: skip
        return opened[-1]

    yield start
    for study in opened:
        study.close()


def run(study, total, *, before_epoch=None, stop=lambda: None):
    return study.run(
        lambda *a, **k: run_fake(*a, **k, before_epoch=before_epoch), total=total,
        progress=Quiet(), stop_requested=stop, store=NoStore(),
    )  # fmt: skip


class Outage:
    """Stops the server at the second epoch of all; it is started again after `seconds`, or once
    the outage is to be `over`.
    """

    def __init__(self, server, signal_number, *, seconds):
        self._server = server
        self._signal = signal_number
        self._seconds = seconds
        self._calls = 0
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._restart)
        self.began = float("inf")

    def __call__(self, epoch):
        self._calls += 1
        if self._calls == 2:
            process = psutil.Process(self._server.get_pid())
            process.send_signal(self._signal)
            process.wait(20)
            self.began = time.monotonic()
            self._thread.start()

    def _restart(self):
        self._enough.wait(self._seconds)
        self._server.ensure_postgres_running()

    def over(self):
        self._enough.set()
        self._thread.join()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_study_rides_out_a_restart_of_postgresql(postgres, postgres_url, open_study, how):
    study = open_study(postgres_url)
    outage = Outage(postgres, how, seconds=2.0)

    assert run(study, 3, before_epoch=outage) == "complete"
    outage.over()

    assert study.counts() == {
        "finished": 3, "complete": 3, "pruned": 0, "failed": 0, "retried": 0, "running": 0,
    }  # fmt: skip
    assert [sorted(trial.intermediate) for trial in study.trials()] == [[1, 2, 3, 4]] * 3


def test_cut_connections_are_replaced(postgres, postgres_url, open_study):
    study = open_study(postgres_url)

    def cut(epoch):
        postgres.psql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and datname like 't%'"
        )

    run(study, 2, before_epoch=cut)

    assert study.counts()["complete"] == 2


@pytest.mark.parametrize("statement", [2, 9, 25, 60])
def test_connections_cut_while_a_study_is_opened_or_joined_are_replaced(
    postgres, postgres_url, tmp_path, statement
):
    n_statements, cuts = 0, []

    def cut(*_):
        nonlocal n_statements
        n_statements += 1
        if n_statements == statement:
            name = sqlalchemy.make_url(postgres_url).database
            cuts.append(postgres.psql(f"{CUT} where datname = '{name}'"))

    settings = load_settings(overrides=[("pruner.name", "none")])
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", cut)
    try:
        with closing(Search(settings, fingerprint="f", storage_url=postgres_url, study_name="s",
                            endurance=QUICK)) as study:  # fmt: skip
            study.set_terms(StudyTerms(1, "database", "0" * 64, code_identity()))
        n_statements = 0
        n_run = run_worker(
            postgres_url, output=tmp_path, progress=lambda *_: Quiet(), endurance=QUICK,
            trainer=lambda *_: run_fake,
        )  # fmt: skip
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", cut)

    assert len(cuts) == 2
    assert n_run == 1


def test_read_that_loses_its_connection_shows_no_page_of_sql(tmp_path, open_study):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    run(open_study(url), 2)
    storage = open_storage(url, create=False)
    lost, said = [], []

    def lose_one(_, statement, *__):
        if "FROM trial_system_attributes" in statement and not lost:
            lost.append(statement)
            raise sqlite3.OperationalError("server closed the connection unexpectedly")

    sqlalchemy.event.listen(storage.engine, "do_execute", lose_one)
    handler = logging.Handler()
    handler.emit = said.append
    logging.getLogger("optuna").addHandler(handler)
    try:
        trials = storage.get_all_trials(storage.get_study_id_from_name("s"))
    finally:
        logging.getLogger("optuna").removeHandler(handler)
        close_storage(storage)

    assert len(lost) == 1
    assert len(trials) == 2
    assert said == []


def test_outage_beyond_the_limit_ends_in_one_line_and_the_study_goes_on_later(
    postgres, postgres_url, open_study
):
    study = open_study(postgres_url, endurance=Endurance(0.2, 1.0, 30.0))
    outage = Outage(postgres, signal.SIGINT, seconds=60.0)

    with pytest.raises(StorageError, match="the storage failed"), storage_errors(postgres_url):
        run(study, 3, before_epoch=outage)
    outage.over()
    postgres.ensure_postgres_running()
    assert study.counts()["running"] == 1  # closing it would have had to wait as well

    mark_owner_dead(study)
    run(study, 3)
    assert (study.counts()["complete"], study.counts()["retried"]) == (3, 1)


def mark_owner_dead(study):
    """What the next start finds after the process has ended."""
    (beat,) = study._storage.beats(study._study._study_id)
    study._storage.set_trial_user_attr(beat.trial_id, "owner", {**beat.owner, "started": 0.0})


def test_signal_ends_the_wait_for_a_database_and_the_trial_is_found_later(
    postgres, postgres_url, open_study
):
    study = open_study(postgres_url)
    outage = Outage(postgres, signal.SIGINT, seconds=60.0)

    def stop():
        if time.monotonic() - outage.began > 1.0:
            raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        run(study, 3, before_epoch=outage, stop=stop)
    outage.over()

    assert study.counts()["running"] == 1


def test_locked_sqlite_is_waited_for(tmp_path, open_study, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.01)
    study = open_study(f"sqlite:///{tmp_path / 'study.db'}")
    other = sqlite3.connect(tmp_path / "study.db", check_same_thread=False)
    calls = iter(range(100))

    def lock(epoch):
        if next(calls) == 1:
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.5, other.rollback).start()

    run(study, 2, before_epoch=lock)
    other.close()

    assert study.counts()["complete"] == 2
    assert study._storage.n_retries > 0


def test_large_study_is_read_beside_a_writer_and_holds_none_up(tmp_path, open_study, monkeypatch):
    study = open_study(f"sqlite:///{tmp_path / 'study.db'}")
    run(study, 3)
    reader = open_study(f"sqlite:///{tmp_path / 'study.db'}")
    storage, blobs = reader._storage, reader.table_blobs()
    other = sqlite3.connect(tmp_path / "study.db", timeout=0)
    n_written = 0

    def written(trial, build=storage._build_frozen_trial_from_trial_model):
        """Write while the study is being read."""
        nonlocal n_written
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE trials SET number = number")
        other.commit()
        n_written += 1
        return build(trial)

    monkeypatch.setattr(storage, "_build_frozen_trial_from_trial_model", written)
    assert len(storage.get_all_trials(study._study._study_id)) == 3
    assert len(reader.trials()) == 3
    assert n_written == 6

    other.execute("BEGIN IMMEDIATE")
    assert reader.counts()["complete"] == 3
    assert blobs.keys() == []
    assert list_studies(study._storage.url)[0]["complete"] == 3
    other.rollback()
    other.close()
    assert storage.n_retries == 0


def test_start_hears_a_signal_while_sqlite_is_locked(tmp_path, open_study, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.01)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    open_study(url)
    other = sqlite3.connect(tmp_path / "study.db")
    other.execute("BEGIN IMMEDIATE")

    def interrupt(*_):
        raise Interrupted(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, interrupt)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with pytest.raises(Interrupted):
            open_study(url)
    finally:
        signal.signal(signal.SIGTERM, before)
        other.rollback()
        other.close()


def test_signal_ends_the_wait_for_a_locked_sqlite(tmp_path, open_study, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.01)
    study = open_study(f"sqlite:///{tmp_path / 'study.db'}")
    other = sqlite3.connect(tmp_path / "study.db")

    def stop():
        if other.in_transaction:
            raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        run(study, 2, before_epoch=lambda _: other.execute("BEGIN IMMEDIATE"), stop=stop)
    other.rollback()
    other.close()


@pytest.fixture
def impatient(monkeypatch):
    """Sessions that wait for nothing long."""
    monkeypatch.setattr(postgres_sessions, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(postgres_sessions, "IDLE_SECONDS", 1.0)


def test_worker_that_is_stopped_in_a_transaction_holds_nobody_up(
    postgres_url, open_study, impatient
):
    study, other = open_study(postgres_url), open_study(postgres_url)

    with other._storage.engine.connect() as stopped:
        stopped.execute(sqlalchemy.text("SELECT * FROM studies FOR UPDATE"))
        assert run(study, 2) == "complete"
        with pytest.raises(sqlalchemy.exc.DBAPIError) as ended:
            stopped.execute(sqlalchemy.text("SELECT 1"))

    assert is_passing(ended.value)
    assert study._storage.n_retries > 0


def test_signal_ends_the_wait_for_a_lock_that_somebody_has_forgotten(
    postgres_url, open_study, impatient
):
    study = open_study(postgres_url)
    server = sqlalchemy.create_engine(parse_url(postgres_url))
    console = server.connect()
    checks = iter(range(100))

    def stop():
        if console.in_transaction() and next(checks) > 1:
            raise Interrupted(signal.SIGTERM)

    def forget(epoch):
        console.execute(sqlalchemy.text("SELECT * FROM studies FOR UPDATE"))

    with pytest.raises(Interrupted):
        run(study, 2, before_epoch=forget, stop=stop)
    console.close()
    server.dispose()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_sqlite_file_that_is_deleted_or_replaced_ends_the_run_in_one_line(
    tmp_path, open_study, how
):
    url, file = f"sqlite:///{tmp_path / 'study.db'}", tmp_path / "study.db"
    study = open_study(url)

    def lose(epoch):
        if how == "replaced":
            shutil.copy(file, tmp_path / "copy.db")
            (tmp_path / "copy.db").replace(file)
        else:
            file.unlink(missing_ok=True)

    with pytest.raises(StorageError, match=r"study\.db: the file was deleted or replaced"):
        run(study, 2, before_epoch=lose)


def test_worker_that_joins_while_the_database_is_away_waits_for_it(postgres, tmp_path):
    url = new_database(postgres)
    settings = load_settings(overrides=[("pruner.name", "none")])
    with closing(Search(settings, fingerprint="f", storage_url=url, study_name="s")) as study:
        study.set_terms(StudyTerms(2, "database", "0" * 64, code_identity()))
    process = psutil.Process(postgres.get_pid())
    process.send_signal(signal.SIGINT)
    process.wait(30)
    back = threading.Timer(3.0, postgres.ensure_postgres_running)
    back.start()

    n_run = run_worker(
        url, study_name="s", output=tmp_path, progress=lambda *_: Quiet(),
        trainer=lambda *_: run_fake, storage_wait_seconds=60.0,
    )  # fmt: skip

    back.join()
    assert n_run == 2


def test_worker_does_not_wait_longer_than_it_was_told(tmp_path):
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:9.*the storage failed"):
        run_worker(
            "postgresql://ann:geheim@127.0.0.1:9/d", output=tmp_path,
            progress=lambda *_: Quiet(), storage_wait_seconds=1.0,
        )  # fmt: skip
    assert time.monotonic() - began < 30


def test_full_disk_is_not_waited_for(tmp_path, open_study):
    study = open_study(f"sqlite:///{tmp_path / 'study.db'}")
    full = sqlalchemy.exc.OperationalError("", {}, sqlite3.OperationalError("database is full"))
    attempts = []

    def operation():
        attempts.append(1)
        raise full

    with pytest.raises(sqlalchemy.exc.OperationalError):
        study._storage.enduring(operation)

    assert len(attempts) == 1


class Lost(Exception):
    """A failure of PostgreSQL with its code."""

    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("failure", "passes"),
    [
        (OperationalError("", {}, sqlite3.OperationalError("database is locked")), True),
        (OperationalError("", {}, sqlite3.OperationalError("disk is full")), False),
        (OperationalError("", {}, sqlite3.OperationalError("no such table: t")), False),
        (OperationalError("", {}, OSError("no such file or directory")), True),
        (OperationalError("", {}, OSError("connection refused")), True),
        (OperationalError("", {}, OSError("FATAL:  the database system is starting up")), True),
        (OperationalError("", {}, OSError('FATAL:  database "d" does not exist')), False),
        (OperationalError("", {}, OSError("FATAL:  password authentication failed")), False),
        (OperationalError("", {}, Lost("57P01")), True),  # ended by an administrator
        (OperationalError("", {}, Lost("40P01")), True),  # deadlock
        (OperationalError("", {}, Lost("53100")), False),  # disk full
        (OperationalError("", {}, Lost("28P01")), False),  # wrong password
        (PendingRollbackError("the connection was lost before"), True),
        (ValueError("a bug"), False),
    ],
)
def test_what_may_pass_is_told_from_what_lasts(failure, passes):
    wrapped = StorageInternalError("Optuna's words")
    wrapped.__cause__ = failure

    assert is_passing(failure) is passes
    assert is_passing(wrapped) is passes


def make_old(study, seconds):
    """Let all beats be so old."""
    with study._storage.engine.begin() as connection:
        if study._storage.engine.name == "sqlite":
            change = f"datetime(heartbeat, '-{seconds} seconds')"
        else:
            change = f"heartbeat - interval '{seconds} seconds'"
        connection.execute(sqlalchemy.text(f"UPDATE trial_heartbeats SET heartbeat = {change}"))


def test_robbed_worker_drops_its_trial_and_goes_on_with_the_next(url, open_study):
    rarely = Endurance(beat_seconds=5.0, outage_seconds=10.0, grace_seconds=30.0)
    study, other = open_study(url, endurance=rarely), open_study(url, endurance=rarely)
    calls = iter(range(100))

    def fall_silent(epoch):
        if next(calls) == 6:  # in the second trial, in its third epoch
            make_old(study, 20)
            assert other.reap() == 0  # not yet beyond the grace
            make_old(study, 20)
            assert other.reap() == 1

    run(study, 4, before_epoch=fall_silent)

    trials = study.trials()
    assert study.counts() == {
        "finished": 4, "complete": 4, "pruned": 0, "failed": 0, "retried": 1, "running": 0,
    }  # fmt: skip
    (robbed,) = [trial for trial in trials if trial.is_retried]
    (again,) = [t for t in trials if t.origin == robbed.number and t != robbed]
    assert "no beat" in robbed.attributes["failure"]
    assert again.params == robbed.params
    assert sorted(again.intermediate) == [1, 2, 3, 4]


def claim(study, owner, total=9):
    storage, number = study._storage, study._study._study_id
    return storage.claim_trial(
        number, total=total, owner=owner, first_params={}, propose=lambda trials: {}
    )


def test_claiming_finishing_and_closing_twice_change_nothing(url, open_study):
    study = open_study(url)
    storage, study_id = study._storage, study._study._study_id
    mine, other = claiming_owner(), claiming_owner()
    result = {"state": TrialState.COMPLETE, "value": 0.5, "attributes": {"a": 1}}

    first = claim(study, mine)
    assert claim(study, mine) == first
    second = claim(study, other)
    assert second != first
    assert claim(study, claiming_owner(), total=2) is None

    for _ in range(2):
        storage.finish_trial(first, **result, owner=mine)
    with pytest.raises(TrialTaken):
        storage.finish_trial(first, **result, owner=other)
    assert storage.close_trial(study_id, second, reason="gone", retry={"origin": 1})
    assert not storage.close_trial(study_id, second, reason="gone", retry={"origin": 1})
    with pytest.raises(TrialTaken):
        storage.finish_trial(second, **result, owner=other)

    states = [trial.state for trial in study._study.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING]


def test_rungs_move_to_the_trial_that_runs_again(url, open_study):
    study = open_study(url)
    storage, study_id = study._storage, study._study._study_id
    trial = claim(study, claiming_owner())
    storage.set_trial_system_attr(trial, "completed_rung_0", 0.7)
    storage.set_trial_intermediate_value(trial, 1, 0.7)

    storage.close_trial(study_id, trial, reason="gone", retry={"origin": 0})

    cut_off, again = study._study.get_trials()
    assert "completed_rung_0" not in cut_off.system_attrs
    assert again.system_attrs["completed_rung_0"] == 0.7
    assert cut_off.intermediate_values == again.intermediate_values == {1: 0.7}


def test_beats_go_on_after_the_database_failed():
    class Flaky:
        endurance = Endurance(0.01, 1.0, 30.0)

        def __init__(self):
            self.calls = 0
            self.beaten = threading.Event()

        def enduring(self, operation, *, check):
            check()
            operation()

        def record_heartbeat(self, trial_id):
            self.calls += 1
            if self.calls < 3:
                raise sqlalchemy.exc.OperationalError("", {}, OSError("away"))
            self.beaten.set()

        def remove_session(self):
            pass

    storage = Flaky()
    with Heartbeat(storage, 1):
        assert storage.beaten.wait(20)


def test_running_trial_beats(url, open_study):
    study = open_study(url)
    ages = []

    def wait(epoch):
        if epoch == 2:
            make_old(study, 25)
            time.sleep(1.5)
            (beat,) = study._storage.beats(study._study._study_id)
            ages.append(beat.age_seconds)

    run(study, 1, before_epoch=wait)

    assert ages[0] < 20
    assert os.getpid() == study.trials()[0].attributes["owner"]["pid"]


def test_grace_shorter_than_an_outage_is_refused():
    with pytest.raises(ConfigError, match="grace_seconds must be at least.*= 120"):
        Endurance(beat_seconds=15.0, outage_seconds=90.0, grace_seconds=100.0)
