import shlex

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tuner.config import load_settings
from tuner.config.loading import parse_override
from tuner.search.edges import edge_warnings
from tuner.search.space import distributions

# A range of its own, so that the hand-made numbers below do not hang on the default one.
RATE = ("space.training.learning_rate", {"low": 0.0005, "high": 0.02, "log": True})


def warned(params, *overrides):
    return edge_warnings(load_settings(overrides=[RATE, *overrides]), params)


def test_learning_rate_at_its_upper_edge_names_a_wider_range():
    (warning,) = warned({"training.learning_rate": 0.0199})

    # Half of the range's width on the log scale: 0.02 * sqrt(40) = 0.1265, kept to two digits.
    assert warning.sentence == (
        "space.training.learning_rate: the best value 0.0199 lies at the upper edge of 0.0005 to "
        "0.02; try --set 'space.training.learning_rate={low=0.0005,high=0.13,log=true}'"
    )
    assert (warning.name, warning.value, warning.side) == (
        "training.learning_rate", 0.0199, "upper",
    )  # fmt: skip
    assert warning.as_json()["high"] == 0.02


def test_what_the_best_trial_s_backbone_does_not_read_gives_no_advice():
    at_the_edge = {"model.dropout": 0.699}

    assert len(warned({"model.backbone": "average", **at_the_edge})) == 1
    assert warned({"model.backbone": "linear", **at_the_edge}) == ()


@pytest.mark.parametrize(
    ("value", "sides"),
    [
        # 2 % of log 40 is a factor of 1.0766: 0.0005 to 0.000538, and 0.01858 to 0.02.
        (0.000537, ["lower"]),
        (0.000540, []),
        (0.0031, []),
        (0.01855, []),
        (0.01860, ["upper"]),
    ],
)
def test_edge_is_two_percent_of_a_logarithmic_range(value, sides):
    assert [w.side for w in warned({"training.learning_rate": value})] == sides


@pytest.mark.parametrize(
    ("value", "sides"), [(0.0, []), (0.01, []), (0.68, []), (0.69, ["upper"]), (0.7, ["upper"])]
)
def test_dropout_warns_above_but_not_at_zero_where_nothing_lies_beyond(value, sides):
    assert [w.side for w in warned({"model.dropout": value})] == sides


def test_wider_range_ends_where_the_settings_rule_ends():
    (warning,) = warned({"model.dropout": 0.7})

    # 0.7 + 0.35 is refused, as dropout must be below 1; 0.7 + 0.175 is not.
    assert "{low=0.0,high=0.88}" in warning.sentence


def test_upper_edge_at_the_settings_own_limit_is_no_edge():
    space = ("space.model.dropout", {"low": 0.1, "high": 0.99})

    assert warned({"model.dropout": 0.99}, space) == ()
    assert [w.side for w in warned({"model.dropout": 0.1}, space)] == ["lower"]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_frozen_depth_at_its_natural_bounds_is_no_edge(depth):
    assert warned({"model.frozen_depth": depth}) == ()


def test_frozen_depth_warns_where_groups_were_left_out():
    (warning,) = warned(
        {"model.frozen_depth": 1}, ("space.model.frozen_depth", {"low": 0, "high": 1})
    )

    assert warning.side == "upper" and "{low=0,high=2}" in warning.sentence


def test_whole_numbers_and_steps_are_extended_on_their_grid():
    (warning,) = warned(
        {"model.embedding_width": 128},
        ("space.model.embedding_width", {"low": 32, "high": 128, "step": 32}),
    )

    # 96 wide, 3 steps: half of it is 1.5 steps, so 2.
    assert "{low=32,high=192,step=32}" in warning.sentence
    assert "best value 128 lies" in warning.sentence


def test_penalty_at_its_lower_edge_can_also_be_switched_off():
    (warning,) = warned(
        {"regularization.l1": 1e-8},
        ("space.regularization.l1", {"low": 1e-8, "high": 1e-4, "log": True}),
    )

    assert warning.sentence.endswith("or switch it off with --set regularization.l1=0.0")
    assert "{low=1e-10,high=0.0001,log=true}" in warning.sentence


def test_learning_rate_at_its_lower_edge_cannot_be_switched_off():
    (warning,) = warned({"training.learning_rate": 0.0005})

    assert "switch" not in warning.sentence


def test_choices_fixed_settings_and_ranges_of_one_value_have_no_edge():
    overrides = (
        ("space.preprocess.segmenter", {"choices": ["jieba", "characters"]}),
        ("space.training.batch_size", {"low": 32, "high": 32}),
        ("space.training.learning_rate", "off"),
    )
    params = {
        "preprocess.segmenter": "jieba", "training.batch_size": 32,
        "training.learning_rate": 0.02,
    }  # fmt: skip

    assert warned(params, *overrides) == ()


@st.composite
def ranges(draw):
    """Give a setting, a range of it, and the value at one of its ends."""
    name = draw(st.sampled_from(["training.learning_rate", "training.label_smoothing"]))
    low, high = draw(st.floats(1e-6, 0.4)), draw(st.floats(0.42, 0.9))
    if draw(st.booleans()):
        name = "model.width"
        low, high = draw(st.integers(1, 100)), draw(st.integers(101, 8192))
    entry = {"low": low, "high": high, "log": draw(st.booleans())}
    return name, entry, draw(st.sampled_from([low, high]))


@settings(deadline=None)
@given(ranges())
def test_advised_range_is_accepted_and_goes_on_beyond_the_value(searched):
    name, entry, value = searched
    found = warned({name: value}, (f"space.{name}", entry))
    assume(found)  # none where the setting's rule ends too

    command = found[0].sentence.split("; try ")[1].split(", or switch")[0]
    _, override = shlex.split(command)

    wider = distributions(load_settings(overrides=[parse_override(override)]))[name]
    assert wider.low < value < wider.high
    assert wider.low <= entry["low"] and entry["high"] <= wider.high
