import pytest

from tuner.config import Settings, load_settings, settings_digest, shipped_studies
from tuner.config.loading import parse_override
from tuner.errors import ConfigError


def test_overridden_parameter_is_fixed_and_leaves_the_space():
    settings = load_settings(overrides=[("model.dropout", 0.5)])

    assert settings.model.dropout == 0.5
    assert "model.dropout" not in settings.space
    assert "training.learning_rate" in settings.space


def test_space_entry_can_be_given_and_taken_out():
    settings = load_settings(
        overrides=[
            ("space.training.batch_size", {"choices": [32, 64]}),
            ("space.model.dropout", "off"),
        ]
    )

    assert settings.space["training.batch_size"].choices == (32, 64)
    assert "model.dropout" not in settings.space


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (("modle.dropout", 0.5), ["modle.dropout", "Did you mean 'model.dropout'"]),
        (("training.learning_rate", -1), ["training.learning_rate", "greater than 0", "-1"]),
        (("pruner.reduction_factor", 1), ["pruner.reduction_factor", "2", "got 1"]),
        (("study.metric", "f1"), ["study.metric", "macro_f1", "'f1'"]),
        (("sampler.name", "tpee"), ["sampler.name", "Did you mean 'tpe'"]),
        (("split.test", 0.49), ["split", "at least 0.2 for train"]),
        (("space.model.dropout", {"low": 0, "high": 2}), ["space.model.dropout", "high", "got 2"]),
        (
            ("space.model.dropout", {"low": 0.5, "high": 0.1}),
            ["space.model.dropout", "0.5 to 0.1"],
        ),
        (("space.model.dropuot", {"low": 0, "high": 0.1}), ["Did you mean 'model.dropout'"]),
        (("features.subwords", "5-3"), ["features.subwords", "such as 3-4", "'5-3'"]),
        (("features.subwords", 3), ["features.subwords", "such as 3-4", "got 3"]),
        (("training.epochs", "many"), ["training.epochs", "integer", "'many'"]),
        (("training.learning_rate", float("nan")), ["training.learning_rate", "nan"]),
    ],
)
def test_bad_setting_is_refused_by_name_rule_and_value(override, words):
    with pytest.raises(ConfigError) as caught:
        load_settings(overrides=[override, ("split.selection", 0.3), ("split.validation", 0.3)])

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_unknown_key_of_a_study_file_names_the_nearest(tmp_path):
    (tmp_path / "study.toml").write_text("[model]\nbackbnoe = 'average'\n")

    with pytest.raises(ConfigError, match=r"model.backbnoe.*Did you mean 'model.backbone'"):
        load_settings(tmp_path)


def test_study_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "study.toml").write_text("[model\n")

    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(tmp_path)


def test_paths_of_a_study_file_are_found_beside_it(tmp_path):
    (tmp_path / "study.toml").write_text("[data]\npath = 'table.csv'\n")
    (tmp_path / "table.csv").write_text("text,label\n")

    assert load_settings(tmp_path).data.path == str(tmp_path / "table.csv")


def test_a_checkpoint_is_the_same_folder_wherever_the_study_is_read_later(tmp_path, monkeypatch):
    for name in ("bert", "home/bert"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def loaded(name):
        settings = load_settings(
            overrides=[("model.checkpoint", name), ("space.model.checkpoint", {"choices": [name]})]
        )
        (choice,) = settings.space["model.checkpoint"].choices
        assert choice == settings.model.checkpoint
        return choice

    assert loaded("bert") == loaded("./home/../bert") == str(tmp_path / "bert")
    assert loaded("~/bert") == str(tmp_path / "home/bert")
    assert loaded("bert_base_zh") == "bert_base_zh"  # no folder: a preset's name


def test_a_checkpoint_of_a_study_file_is_found_beside_it_first(tmp_path, monkeypatch):
    for name in ("bert", "study/bert"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "study/study.toml").write_text(
        "[model]\ncheckpoint = 'bert'\n[space]\n'model.checkpoint' = {choices = ['bert']}\n"
    )
    monkeypatch.chdir(tmp_path)

    settings = load_settings("study")

    assert settings.model.checkpoint == str(tmp_path / "study/bert")
    assert settings.space["model.checkpoint"].choices == (str(tmp_path / "study/bert"),)


def test_every_shipped_study_loads():
    assert {load_settings(name).study.name for name in shipped_studies()} >= {"quickstart"}


def test_unknown_study_suggests_a_shipped_one():
    with pytest.raises(ConfigError, match="Did you mean 'quickstart'"):
        load_settings("quikstart")


@pytest.mark.parametrize("text", ["no-equals", "=0.5"])
def test_override_without_key_or_equals_is_refused(text):
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_override(text)


def test_identity_ignores_paths_and_name_but_not_settings():
    base = load_settings()
    moved = load_settings(overrides=[("data.path", "elsewhere.csv"), ("study.name", "other")])
    changed = load_settings(overrides=[("training.batch_size", 32)])

    assert settings_digest(moved) == settings_digest(base)
    assert settings_digest(changed) != settings_digest(base)


def test_settings_survive_their_own_record():
    settings = load_settings(overrides=[("space.training.batch_size", {"choices": [32, 64]})])

    assert Settings.model_validate(settings.model_dump(mode="json")) == settings
