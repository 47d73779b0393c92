"""What a study file and `--set` may say, and what they are told when they may not."""

from __future__ import annotations

import pytest

from tuner.config import load_settings
from tuner.config.loading import parse_override
from tuner.errors import ConfigError


def study(tmp_path, text, *, encoding="utf-8"):
    (tmp_path / "study.toml").write_text(text, encoding=encoding)
    return tmp_path


def refusal(*assignments, study=None):
    with pytest.raises(ConfigError) as caught:
        load_settings(study, overrides=[parse_override(each) for each in assignments])
    return str(caught.value)


@pytest.mark.parametrize("text", ["model = 3", "space = 'off'", "data = ['a.csv']"])
def test_section_that_is_no_table_is_named_even_with_an_override(tmp_path, text):
    name = text.split()[0]

    said = refusal("model.dropout=0.1", study=study(tmp_path, text))

    assert said.startswith(f"{name} must be a table, [{name}]")
    assert "got " in said


@pytest.mark.parametrize("value", ["off", "{low=0.1,high=0.2}", "false"])
def test_mistyped_name_in_the_space_is_refused_even_when_taken_out(value):
    said = refusal(f"space.training.learnig_rate={value}")

    assert "space.training.learnig_rate" in said
    assert "Did you mean 'training.learning_rate'" in said


def test_mistyped_name_taken_out_in_a_study_file_is_refused(tmp_path):
    said = refusal(study=study(tmp_path, "[space]\n'model.dropuot' = 'off'\n"))

    assert "Did you mean 'model.dropout'" in said


def test_zero_is_not_off():
    said = refusal("space.training.learning_rate=0")

    assert said.startswith("space.training.learning_rate must be a range")
    assert said.endswith("got 0.")


@pytest.mark.parametrize(
    "text",
    [
        "[space]\n'training.learning_rate' = {low = 0.01, high = 0.1}\n'model.dropout' = 'off'\n",
        "[space]\ntraining.learning_rate = {low = 0.01, high = 0.1}\nmodel.dropout = 'off'\n",
        "[space.training]\nlearning_rate = {low = 0.01, high = 0.1}\n"
        "[space.model]\ndropout = false\n",
        "[space.training.learning_rate]\nlow = 0.01\nhigh = 0.1\n"
        "[space.model]\ndropout = 'none'\n",
    ],
)
def test_every_way_to_nest_the_space_in_toml_means_the_same(tmp_path, text):
    space = load_settings(study(tmp_path, text)).space

    assert (space["training.learning_rate"].low, space["training.learning_rate"].high) == (
        0.01, 0.1,
    )  # fmt: skip
    assert "model.dropout" not in space
    assert "model.token_dropout" in space


def test_entry_given_twice_is_refused(tmp_path):
    text = "[space]\n'model.dropout' = {low=0.1,high=0.2}\nmodel.dropout = 'off'\n"

    assert "space.model.dropout must be given once" in refusal(study=study(tmp_path, text))


def test_list_cannot_be_searched_and_the_message_says_what_can_be_done():
    said = refusal("space.model.kernel_sizes={choices=[[3,4],[2,3]]}")

    assert said.startswith("space.model.kernel_sizes: cannot be searched")
    assert "model.kernel_sizes=[…]" in said


@pytest.mark.parametrize(
    ("assignment", "name", "rule"),
    [
        ("space.model.backbone={choices=[[1]]}", "space.model.backbone.choices.0", "a text or"),
        ("space.model.dropout={low='a',high=1}", "space.model.dropout.low", "should be a number"),
        ("model.kernel_sizes=3", "model.kernel_sizes", "should be a list"),
    ],
)
def test_message_names_the_setting_and_no_class_of_the_program(assignment, name, rule):
    said = refusal(assignment)

    assert said.startswith(f"{name} ")
    assert rule in said
    assert ".bool" not in said and ".float" not in said and "tuple" not in said


@pytest.mark.parametrize(
    "assignment",
    [
        "training.learning_rate=true",
        "training.epochs=true",
        "model.width=true",
        "model.kernel_sizes=[true]",
        "space.model.dropout={low=true,high=0.5}",
        "space.training.batch_size={choices=[true]}",
    ],
)
def test_true_is_not_taken_for_a_number(assignment):
    said = refusal(assignment)

    assert assignment.split("=")[0] in said
    assert "number" in said and "got true" in said


def test_switches_still_take_true_and_false():
    settings = load_settings(
        overrides=[
            ("preprocess.mask_urls", True),
            ("space.preprocess.lower_case", {"choices": [True, False]}),
        ]
    )

    assert settings.preprocess.mask_urls is True
    assert settings.space["preprocess.lower_case"].choices == (True, False)


def test_one_text_column_needs_no_list(tmp_path):
    from_file = load_settings(study(tmp_path, "[data]\ntext = '正文'\n"))
    from_line = load_settings(overrides=[parse_override("data.text=text")])

    assert from_file.data.text == ("正文",)
    assert from_line.data.text == ("text",)


@pytest.mark.parametrize("key", ["path", "query", "validation", "test", "label", "text"])
def test_empty_name_in_the_data_section_is_refused(tmp_path, key):
    said = refusal(f"data.{key}=")

    assert said.startswith(f"data.{key}: an empty value names nothing")
    assert said == refusal(study=study(tmp_path, f"[data]\n{key} = ''\n"))


def test_study_file_may_begin_with_a_byte_order_mark(tmp_path):
    folder = study(tmp_path, "[model]\ndropout = 0.2\n", encoding="utf-8-sig")

    assert load_settings(folder).model.dropout == 0.2


def test_searched_word_lists_are_found_beside_the_study_file(tmp_path):
    (tmp_path / "stop.txt").write_text("的\n", encoding="utf-8")
    text = "[space.preprocess]\nstop_words = {choices = ['none', 'stop.txt']}\n"

    entry = load_settings(study(tmp_path, text)).space["preprocess.stop_words"]

    assert entry.choices == ("none", str(tmp_path / "stop.txt"))
