import os
import subprocess
import sys
from contextlib import closing

import psutil
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.pruners import HyperbandPruner
from sqlalchemy.exc import OperationalError

from tuner.config import apply_params, load_settings, setting_value
from tuner.errors import ConfigError, StorageError
from tuner.search import Search, close_storage, mask, open_storage, parse_url, stored_study
from tuner.search import owner as owner_module
from tuner.search.owner import current_owner, is_dead
from tuner.search.pruner import build_pruner
from tuner.search.space import default_params, distributions


def space(*overrides):
    settings = load_settings(overrides=overrides)
    return settings, distributions(settings)


def test_default_space_is_static_and_frozen_depth_reaches_the_head():
    _, found = space()

    assert found["training.learning_rate"].log
    assert found["model.frozen_depth"] == IntDistribution(0, 2)
    assert [name for name, d in found.items() if isinstance(d, CategoricalDistribution)] == [
        "model.backbone"
    ]


def test_what_has_no_meaning_for_a_backbone_is_not_asked():
    _, found = space(("model.backbone", "textcnn"))

    assert "model.pooling_power" not in found
    assert "model.dropout" in found


@pytest.mark.parametrize("name", ["model.head_width", "training.encoder_micro_batch_size"])
def test_a_size_left_open_is_searched_against_given_ones_and_is_that_of_trial_0(name):
    settings, found = space(
        ("model.backbone", "minilm"), (f"space.{name}", {"choices": [64, "none"]})
    )

    assert default_params(settings, found)[name] == "none"
    assert setting_value(apply_params(settings, {name: "none"}), name) is None
    assert setting_value(apply_params(settings, {name: 64}), name) == 64


def test_choices_of_text_settings_can_be_searched():
    settings, found = space(("space.preprocess.segmenter", {"choices": ["jieba", "characters"]}))

    assert found["preprocess.segmenter"].choices == ("jieba", "characters")
    assert default_params(settings, found)["preprocess.segmenter"] == "jieba"


def test_defaults_are_moved_onto_the_grid_of_their_range():
    settings, found = space(
        ("space.training.learning_rate", {"low": 0.01, "high": 0.1}),
        ("space.model.dropout", {"low": 0.05, "high": 0.65, "step": 0.2}),
        ("space.training.batch_size", {"low": 16, "high": 32}),
    )

    params = default_params(settings, found)

    assert params["training.learning_rate"] == 0.01
    assert params["model.dropout"] == pytest.approx(0.25)
    assert params["training.batch_size"] == 32
    assert all(
        found[name]._contains(found[name].to_internal_repr(value))
        for name, value in params.items()
    )


@pytest.mark.parametrize(
    ("backbones", "n_classes", "entry", "width"),
    [
        (["textcnn"], 2, {"choices": [16, 100]}, 100),
        (["textcnn"], 2, {"choices": [16, 128, 64]}, 128),  # the nearest to 100
        (["textcnn"], 2, {"low": 16, "high": 256}, 100),
        (["textcnn"], 2, {"low": 16, "high": 64}, 64),
        (["bigru", "textcnn"], 2, {"choices": [32, 64, 100]}, 64),
        (["average", "textcnn"], 2, {"choices": [16, 32, 128]}, 32),
        (["average", "textcnn"], 77, {"choices": [16, 32, 128]}, 128),
        (["linear", "textcnn"], 2, {"choices": [16, 100]}, 16),  # linear has none
    ],
)
def test_first_trial_is_as_wide_as_its_backbone_is_by_default(backbones, n_classes, entry, width):
    settings = load_settings(
        overrides=[("space.model.backbone", {"choices": backbones}), ("space.model.width", entry)]
    )

    params = default_params(settings, distributions(settings), n_classes=n_classes)

    assert (params["model.backbone"], params["model.width"]) == (backbones[0], width)


def test_first_trial_takes_the_width_that_is_set():
    settings, found = space(("model.width", 20), ("space.model.width", {"choices": [16, 20, 32]}))

    assert default_params(settings, found)["model.width"] == 20


@pytest.mark.parametrize(
    ("choices", "hidden"), [(["average", "textcnn"], 0.5), (["textcnn", "bigru"], 0.3)]
)
def test_first_trial_hides_as_many_tokens_as_its_backbone_does_by_default(choices, hidden):
    settings = load_settings(overrides=[("space.model.backbone", {"choices": choices})])

    params = default_params(settings, distributions(settings))

    assert params["model.backbone"] == choices[0]
    assert params["model.token_dropout"] == hidden


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (("space.model.frozen_depth", {"low": 0, "high": 7}), "at most 2"),
        (("space.preprocess.segmenter", {"low": 0, "high": 1}), "segmenter"),
        (("space.model.dropout", {"low": 0.1}), "low and high"),
        (("space.model.dropout", {"low": 0.0, "high": 0.5, "step": 0.2}), "multiple of step"),
    ],
)
def test_entry_that_does_not_fit_its_setting_is_refused(override, words):
    with pytest.raises(ConfigError, match=words):
        space(override)


def test_hyperband_has_explicit_resources_in_epochs():
    settings = load_settings(overrides=[("pruner.name", "hyperband")])

    pruner = build_pruner(settings.pruner, epochs_max=8)

    assert isinstance(pruner, HyperbandPruner)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (2, 8, 3)


def test_retried_trial_stays_in_the_bracket_of_its_original():
    import optuna

    settings = load_settings(overrides=[("pruner.name", "hyperband")])
    pruner = build_pruner(settings.pruner, epochs_max=50)
    study = optuna.create_study(pruner=pruner, study_name="s")
    for _ in range(30):
        study.ask()
    pruner._try_initialization(study)
    trials = study.get_trials()
    brackets = [pruner._get_bracket_id(study, trial) for trial in trials]
    other = next(n for n, bracket in enumerate(brackets) if bracket != brackets[0])
    again = trials[other]
    again.user_attrs["origin"] = 0

    assert pruner._get_bracket_id(study, again) == brackets[0] != brackets[other]
    assert again.number == other


def test_this_process_is_alive_and_another_start_or_pid_is_not():
    owner = current_owner()

    assert not is_dead(owner)
    assert is_dead({**owner, "started": owner["started"] - 100})
    assert is_dead({**owner, "pid": 2**22 + 1})
    assert is_dead(None)


@pytest.mark.parametrize(
    "differences",
    [{"host": "another"}, {"pids": "another"}, {"boot": "another", "machine": "another"}],
)
def test_process_of_another_host_machine_or_container_is_not_taken_for_dead(differences):
    assert not is_dead({**current_owner(), "pid": 2**22 + 1, **differences})


def test_process_of_another_user_that_proc_hides_is_not_dead(tmp_path, monkeypatch):
    for mine in ("self", str(os.getpid())):  # as with hidepid=2
        (tmp_path / mine).symlink_to(f"/proc/{os.getpid()}")
    monkeypatch.setattr(owner_module, "_PROC", tmp_path)
    owner = current_owner()

    assert not is_dead({**owner, "pid": 1, "started": 0.0})
    assert is_dead({**owner, "pid": 2**22 + 1})
    assert is_dead({**owner, "started": owner["started"] - 100})


def test_process_of_an_earlier_boot_is_dead_where_the_machine_is_known(tmp_path, monkeypatch):
    machine_id = tmp_path / "machine-id"
    monkeypatch.setattr(owner_module, "_MACHINE_ID", machine_id)
    assert not is_dead({**current_owner(), "boot": "earlier"})  # as in many a container

    machine_id.write_text("3d1219c7\n")
    assert is_dead({**current_owner(), "boot": "earlier"})
    assert "3d1219c7" not in str(current_owner())


def test_process_that_has_ended_is_dead_before_its_parent_asks_for_it():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = {**current_owner(), "pid": child.pid}
    owner["started"] = owner_module._started(child.pid)
    assert not is_dead(owner)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert is_dead(owner)
    child.communicate()


def test_start_of_a_process_does_not_move_with_the_clock(monkeypatch):
    owner = current_owner()

    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 0.0)

    assert not is_dead(owner)


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite://relative.db", "sqlite:///", "mysql://u@h/d", "redis://h"]
)
def test_malformed_storage_url_is_a_settings_error(url):
    with pytest.raises(ConfigError, match="--storage"):
        parse_url(url)


def test_password_is_hidden():
    assert mask("postgresql://ann:secret@db/x") == "postgresql://ann:***@db/x"


def test_unreachable_database_is_a_storage_error_without_the_password():
    with pytest.raises(StorageError) as caught:
        open_storage("postgresql://ann:secret@127.0.0.1:9/x", create=True)

    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "study.db"
    path.write_text("my notes")

    with pytest.raises(StorageError, match="no SQLite database"):
        open_storage(f"sqlite:///{path}", create=True)

    assert path.read_text() == "my notes"


def test_missing_file_is_not_created_for_a_reader(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        open_storage(f"sqlite:///{tmp_path / 'nowhere.db'}", create=False)

    assert not list(tmp_path.iterdir())


def test_sqlite_takes_the_write_lock_at_begin_and_keeps_a_log(tmp_path):
    import sqlalchemy

    storage = open_storage(f"sqlite:///{tmp_path / 'a.db'}", create=True)

    with storage.engine.begin() as connection:
        mode = connection.execute(sqlalchemy.text("PRAGMA journal_mode")).scalar()
        other = __import__("sqlite3").connect(tmp_path / "a.db", timeout=0)
        with pytest.raises(Exception, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    close_storage(storage)

    assert mode == "wal"
    assert (tmp_path / "a.db").stat().st_size > 0


def test_way_out_of_a_failure_does_not_wait_for_the_database_that_caused_it(url, monkeypatch):
    settings = load_settings(overrides=[("pruner.name", "none")])
    monkeypatch.setattr(stored_study, "_IMPATIENT_SECONDS", 0.0)
    with closing(Search(settings, fingerprint="f", storage_url=url, study_name="s")) as study:
        study.heed(lambda: pytest.fail("it is waited for"))
        failure = OperationalError("", {}, OSError("the server is away"))
        monkeypatch.setattr(study._storage, "beats", lambda _: study._storage.enduring(away))

        def away():
            raise failure

        with study.impatient():
            study.reap()

        assert study._storage.endurance.outage_seconds == 90
