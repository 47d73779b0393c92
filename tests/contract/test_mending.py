"""Blobs in the database, and what `tuner storage` finds, mends and copies."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy.exc import DatabaseError

from tests.fake_trainer import NoStore, Quiet, run_fake
from tuner.cli.main import cli, run_command
from tuner.config import load_settings
from tuner.errors import ConfigError, StorageError
from tuner.search import (
    Search,
    StudyTerms,
    check_storage,
    close_storage,
    copy_studies,
    copying,
    list_studies,
    mask,
    open_storage,
    parts_key,
    read_trials,
    top_trials,
)
from tuner.search.blob_table import TableBlobs
from tuner.search.owner import claiming_owner, current_owner

PARTS = parts_key("0" * 64)


@pytest.fixture
def study(url):
    settings = load_settings(overrides=[("pruner.name", "none")])
    search = Search(settings, fingerprint="f" * 64, storage_url=url, study_name="s")
    search.set_terms(StudyTerms(9, "database", "0" * 64, {}))
    for key in (PARTS, "weights"):
        search.table_blobs().put(key, b"content")
    yield search
    search.close()


def run(study, total):
    study.run(run_fake, total=total, progress=Quiet(), stop_requested=lambda: None,
              store=NoStore())  # fmt: skip


def claim(study, owner):
    return study._storage.claim_trial(
        study._study._study_id, total=99, owner=owner, first_params={}, propose=lambda _: {}
    )


def check(url, *, fix=False, has_blob=lambda *_: True):
    return [
        (flaw.kind, flaw.message, flaw.is_mended)
        for flaw in check_storage(url, fix=fix, has_blob=has_blob)
    ]


def test_blobs_are_whole_or_absent_and_replaced(study):
    blobs = study.table_blobs()
    content = bytes(range(256)) * 1000

    assert blobs.get("a") is None
    assert not blobs.has("a")
    blobs.put("a", b"old")
    blobs.put("a", content)
    blobs.put("b", b"")
    assert blobs.get("a") == content
    assert blobs.get("b") == b""
    assert blobs.has("a")
    assert blobs.keys() == ["a", "b", PARTS, "weights"]
    blobs.delete("a")
    blobs.delete("never there")
    assert blobs.keys() == ["b", PARTS, "weights"]
    assert not blobs.has("a")


def test_damaged_blob_counts_as_absent(study):
    blobs = study.table_blobs()
    blobs.put("a", b"content")
    with study._storage.engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE tuner_blobs SET content = :torn"), {"torn": b"con"}
        )

    assert blobs.get("a") is None


def test_sound_storage_has_no_flaw(study, url):
    run(study, 3)
    study.table_blobs().put("weights", b"w")

    assert check(url) == []


def test_data_that_workers_would_miss_are_named_with_what_puts_them_there_again(study, url):
    study.table_blobs().delete(PARTS)

    (flaw,) = check_storage(url, fix=False, has_blob=lambda *_: True)

    assert (flaw.kind, flaw.is_mended) == ("blob", False)
    assert flaw.message == "the data for its workers are missing or damaged"
    assert "`tuner submit`" in flaw.remedy


def test_weights_that_the_end_of_the_study_asks_for_are_all_looked_for(study, url):
    study.set_terms(StudyTerms(9, "folder", "0" * 64, {}, weights_kept=2))
    run(study, 4)

    found = check(url, has_blob=lambda *_: False)

    best = study.best().number
    named = {message.partition(" are missing")[0] for _, message, _ in found}
    assert {kind for kind, *_ in found} == {"blob"}
    assert f"the weights of its best trial {best}" in named
    # Trial 0, with which the winner is compared, and the best two, one of which wins.
    kept = {0, *(t.number for t in top_trials(study.trials(), "maximize", 2))}
    assert {int(name.split()[-1]) for name in named} == kept


def test_orphan_is_found_and_queued_again_and_missing_weights_are_named(study, url):
    run(study, 2)
    claim(study, {**claiming_owner(), "started": 0.0})

    study.table_blobs().delete("weights")
    found = check(url)
    assert [kind for kind, *_ in found] == ["orphan", "blob", "blob"]
    assert "trial 2 is running, but its worker is gone" in found[0]
    assert "the weights of its best trial" in found[1][1]

    study.table_blobs().put("weights", b"content")
    mended = check(url, fix=True)
    assert mended == [("orphan", "trial 2 is running, but its worker is gone", True)]
    assert check(url) == []
    states = [trial.state for trial in study._study.get_trials()]
    assert states[2:] == [TrialState.FAIL, TrialState.WAITING]


def test_trial_of_a_live_worker_is_no_orphan(study, url):
    claim(study, claiming_owner())

    assert check(url) == []


def test_blobs_of_no_study_and_trials_too_many_are_found(study, url):
    run(study, 3)
    study.set_terms(StudyTerms(2, "folder", "0" * 64, {}))
    other = type(study.table_blobs())(study._storage, 999)
    other.put("a", b"x")

    kinds = {kind: (message, mended) for kind, message, mended in check(url, fix=True)}

    assert kinds["total"] == ("3 trials are finished, more than the 2 asked for", False)
    assert kinds["blob"] == ("1 blobs belong to no study", True)
    assert other.keys() == []


def test_what_cannot_be_mended_is_named_with_what_its_user_can_do(study, url, monkeypatch, capsys):
    run(study, 3)
    study.set_terms(StudyTerms(2, "database", "0" * 64, {}))
    study.table_blobs().delete("weights")
    copy_of_trial_1 = create_trial(value=0.5, user_attrs={"origin": 1})
    RDBStorage.create_new_trial(study._storage, study._study._study_id, copy_of_trial_1)
    monkeypatch.setenv("OPTUNA_STORAGE", url)

    assert run_command(cli, ["storage", "check", "--fix"]) == 1

    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5
    for line, remedy in {
        "s: trial 1 was finished twice": "so many more --trials",
        "s: 4 trials are finished, more than the 2 asked for": "with --trials 4 makes",
        f"s: the weights of its best trial {study.best().number} are": "restore the database from",
    }.items():
        assert any(each.startswith(line) and remedy in each for each in said), (line, said)


def test_copied_studies_are_the_same_and_go_on(study, url, tmp_path):
    run(study, 4)
    study.table_blobs().put("weights", b"w" * 1000)
    claim(study, claiming_owner())
    target = f"sqlite:///{tmp_path / 'copy.db'}"

    (copied,) = copy_studies(url, target)

    assert (copied.name, copied.n_trials, copied.n_blobs) == ("s", 5, 2)
    assert not copied.is_in_folder
    assert read_trials(target, "s") == read_trials(url, "s")[:4]
    joined = Search.join(target, "s")
    assert joined.table_blobs().get("weights") == b"w" * 1000
    assert joined.terms() == study.terms()
    run(joined, 6)
    assert joined.counts()["finished"] == 6
    joined.close()


def test_copy_there_and_back_gives_the_same(postgres_url, tmp_path):
    first, last = f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"
    settings = load_settings(overrides=[("pruner.name", "none")])
    search = Search(settings, fingerprint="f" * 64, storage_url=first, study_name="s")
    run(search, 3)
    search.close()

    copy_studies(first, postgres_url)
    copy_studies(postgres_url, last)

    assert read_trials(last, "s") == read_trials(first, "s")
    assert list_studies(last) == list_studies(first)


def test_copy_overwrites_nothing(study, url, tmp_path):
    run(study, 2)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    copy_studies(url, target)
    joined = Search.join(target, "s")
    run(joined, 3)
    joined.close()

    (again,) = copy_studies(url, target)
    assert again.was_there
    assert list_studies(target)[0]["finished"] == 3
    run(study, 4)
    with pytest.raises(ConfigError, match="none is overwritten; it has 's'"):
        copy_studies(url, target)
    assert list_studies(target)[0]["finished"] == 3
    with pytest.raises(ConfigError, match="another storage than FROM"):
        copy_studies(url, url)


def test_copy_that_was_stopped_leaves_nothing_and_one_that_was_killed_is_made_anew(
    study, url, tmp_path, monkeypatch
):
    run(study, 3)
    study.table_blobs().put("weights", b"w")
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    whole = TableBlobs.put

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TableBlobs, "put", stopped)
    with pytest.raises(KeyboardInterrupt):
        copy_studies(url, target)
    assert list_studies(target) == []
    monkeypatch.setattr(TableBlobs, "put", whole)

    storage = open_storage(target, create=True)
    half = storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    now = storage.seconds_by_its_clock()
    storage.set_study_user_attr(half, "copying", {**current_owner(), "beat": now})
    RDBStorage.create_new_trial(storage, half)
    TableBlobs(storage, half).put("half", b"h")
    with pytest.raises(ConfigError, match="is being copied by process"):
        copy_studies(url, target)
    storage.set_study_user_attr(half, "copying", {**current_owner(), "started": 0.0})
    close_storage(storage)
    (copied,) = copy_studies(url, target)

    assert (copied.n_trials, copied.n_blobs, copied.was_there) == (3, 2, False)
    assert read_trials(target, "s") == read_trials(url, "s")
    joined = Search.join(target, "s")
    assert joined.table_blobs().keys() == [PARTS, "weights"]
    assert "copying" not in joined._study.user_attrs
    joined.close()


def test_copy_that_was_killed_on_another_host_is_made_anew_when_it_has_been_silent(
    study, url, tmp_path
):
    run(study, 2)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    storage = open_storage(target, create=True)
    half = storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    elsewhere = {**current_owner(), "host": "gone-with-its-container"}
    now = storage.seconds_by_its_clock()

    storage.set_study_user_attr(half, "copying", {**elsewhere, "beat": now - 170})
    with pytest.raises(ConfigError, match="process .* on gone-with-its-container"):
        copy_studies(url, target)
    storage.set_study_user_attr(half, "copying", {**elsewhere, "beat": now - 190})
    close_storage(storage)
    (copied,) = copy_studies(url, target)

    assert (copied.n_trials, copied.was_there) == (2, False)
    assert read_trials(target, "s") == read_trials(url, "s")


def test_copy_goes_on_beating_and_stops_when_another_one_has_taken_over(
    study, url, tmp_path, monkeypatch
):
    monkeypatch.setattr(copying, "_BEAT_SECONDS", 0.0)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    marks = []
    whole = TableBlobs.put

    def put(blobs, key, content):
        whole(blobs, key, content)
        (there,) = blobs._storage.get_all_studies()
        marks.append(there.user_attrs["copying"])
        other = {**marks[-1], "token": "another"}
        blobs._storage.set_study_user_attr(there._study_id, "copying", other)

    monkeypatch.setattr(TableBlobs, "put", put)

    with pytest.raises(StorageError, match="TO is written by another copy"):
        copy_studies(url, target)
    assert len(marks) == 1
    assert [listed["study"] for listed in list_studies(target)] == ["s"]  # the other one's


def test_trial_whose_copy_was_not_confirmed_is_not_copied_twice(study, url, tmp_path):
    run(study, 2)
    storage = open_storage(f"sqlite:///{tmp_path / 'copy.db'}", create=True)
    copy = storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    first, second = study._storage.get_all_trials(study._study._study_id)

    for trial in (first, first, second, second):
        storage.copy_trial(copy, trial)

    assert [t.number for t in storage.get_all_trials(copy)] == [0, 1]
    close_storage(storage)


def test_copy_that_was_killed_before_it_had_marked_its_study_is_made_anew(study, url, tmp_path):
    run(study, 2)
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    storage = open_storage(target, create=True)
    storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    close_storage(storage)

    (copied,) = copy_studies(url, target)

    assert (copied.n_trials, copied.was_there) == (2, False)
    assert read_trials(target, "s") == read_trials(url, "s")


def test_copy_keeps_a_foreign_study_that_has_trials_and_no_attributes(study, url, tmp_path):
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    storage = open_storage(target, create=True)
    foreign = storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    RDBStorage.create_new_trial(storage, foreign)
    close_storage(storage)

    with pytest.raises(ConfigError, match="none is overwritten; it has 's'"):
        copy_studies(url, target)


def test_copy_names_the_storage_that_fails(study, url, tmp_path, monkeypatch):
    run(study, 1)
    study.table_blobs().put("weights", b"w")

    def damaged(*_):
        raise DatabaseError("SELECT", {}, sqlite3.DatabaseError("disk image is malformed"))

    monkeypatch.setattr(TableBlobs, "get", damaged)
    with pytest.raises(StorageError) as failed:
        copy_studies(url, f"sqlite:///{tmp_path / 'copy.db'}")

    assert str(failed.value).startswith(f"{mask(url)}: the storage failed: disk image")


def test_storage_made_by_another_program_is_named(url):
    storage = open_storage(url, create=True)
    storage.create_new_study([1], "foreign")
    close_storage(storage)

    assert [kind for kind, *_ in check(url)] == ["terms"]
