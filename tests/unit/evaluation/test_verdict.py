import json

import pytest

from tuner.evaluation.bootstrap import Interval
from tuner.evaluation.comparison import Comparison, Difference
from tuner.evaluation.verdict import decide

NOTHING = Difference(0.0, Interval(-0.5, 0.5, 0.95), 1.0, 1.0)


def against(other, value, low, high, p, *, metric="accuracy"):
    difference = Difference(value, Interval(low, high, 0.95), p, p)
    scores = {"accuracy": NOTHING, "macro_f1": NOTHING} | {metric: difference}
    return Comparison(other, 2000, **scores)


MAJORITY = against("majority", 0.6, 0.5, 0.7, 0.0)
BETTER = against("default", 0.023, 0.012, 0.034, 0.0004)


def test_a_model_that_beats_every_other_is_worth_it():
    words = against("tfidf_words", 0.05, 0.03, 0.07, 0.0001)

    verdict = decide([words, BETTER, MAJORITY], metric="accuracy", n=2000)

    assert verdict.kind == "worth_it"
    assert verdict.sentence == (
        "Worth it: on 2,000 test rows the tuned model's accuracy is 2.3 points above the "
        "strongest other, the untuned default settings (95% interval +1.2 to +3.4 points, "
        "p < 0.001 after Holm), and better than each of the 2 models beside it."
    )
    assert verdict.sentence_zh == (
        "值得：在 2,000 条测试样本上，调优后模型的准确率比最强的对照模型“未调优的默认设置”"
        "高 2.3 个百分点（95% 置信区间为 +1.2 至 +3.4 个百分点，Holm 校正后 p < 0.001），"
        "且显著优于全部 2 个对照模型。"
    )


def test_the_numbers_hold_what_the_sentence_states():
    numbers = decide([BETTER, MAJORITY], metric="accuracy", n=2000).numbers

    assert numbers == {
        "metric": "accuracy",
        "n": 2000,
        "margin": 0.01,
        "comparator": "default",
        "winner_is_default": False,
        "others": ["default"],
        "n_comparisons": 2,
        "difference": 0.023,
        "interval": {"low": 0.012, "high": 0.034, "level": 0.95},
        "p_adjusted": 0.0004,
        "rows_needed": None,
        "rows_needed_for": None,
    }


def test_a_search_that_the_default_settings_win_was_not_worth_it_and_says_how_they_do():
    words = against("tfidf_words", 0.30, 0.25, 0.35, 0.0001)
    characters = against("tfidf_characters", 0.28, 0.23, 0.33, 0.0001)

    verdict = decide([words, characters, MAJORITY], metric="accuracy", n=2000, is_default=True)

    assert verdict.kind == "not_worth_it"
    assert verdict.sentence == (
        "Not worth searching: nothing better than the untuned default settings was found; on "
        "2,000 test rows their accuracy is 28.0 points above TF-IDF of characters with a linear "
        "model (95% interval +23.0 to +33.0 points, p < 0.001 after Holm)."
    )
    assert verdict.sentence_zh == (
        "搜索不值得：没有找到比未调优的默认设置更好的配置；在 2,000 条测试样本上，默认设置的准确率"
        "比字级 TF-IDF 加线性模型高 28.0 个百分点（95% 置信区间为 +23.0 至 +33.0 个百分点，"
        "Holm 校正后 p < 0.001）。"
    )


def test_beating_the_default_alone_is_not_enough():
    words = against("tfidf_words", 0.013, -0.004, 0.030, 0.13)

    verdict = decide([BETTER, words], metric="accuracy", n=2000)

    assert verdict.kind == "cannot_tell"
    assert verdict.numbers["comparator"] == "tfidf_words"


def test_a_sure_gain_below_the_margin_is_called_small():
    verdict = decide([against("default", 0.004, 0.001, 0.007, 0.02)], metric="accuracy", n=20_000)

    assert verdict.kind == "worth_it"
    assert verdict.sentence.endswith("p = 0.020), yet by less than 1.0 points.")
    assert verdict.sentence_zh.endswith("，但差距不足 1.0 个百分点。")


def test_a_verdict_without_the_default_says_that_it_was_not_measured():
    words = against("tfidf_words", 0.05, 0.03, 0.07, 0.0001)

    verdict = decide([words, MAJORITY], metric="accuracy", n=2000)

    assert verdict.kind == "worth_it"
    assert verdict.sentence.endswith("; the untuned default settings were not measured.")
    assert verdict.sentence_zh.endswith("；未与默认设置比较。")


def test_a_baseline_that_is_better_makes_it_not_worth_it():
    characters = against("tfidf_characters", -0.03, -0.05, -0.01, 0.003)

    verdict = decide([BETTER, characters], metric="accuracy", n=2000)

    assert verdict.kind == "not_worth_it"
    assert verdict.sentence == (
        "Not worth it: on 2,000 test rows the tuned model's accuracy is 3.0 points below TF-IDF "
        "of characters with a linear model (95% interval -5.0 to -1.0 points, p = 0.003 after "
        "Holm)."
    )
    assert "低 3.0 个百分点" in verdict.sentence_zh


def test_a_gain_that_is_surely_below_the_margin_is_not_worth_it():
    verdict = decide([against("default", 0.001, -0.004, 0.006, 0.7)], metric="accuracy", n=5000)

    assert verdict.kind == "not_worth_it"
    assert "so a gain of 1.0 points or more is unlikely" in verdict.sentence


def test_the_margin_decides_which_gain_is_worth_having():
    comparisons = [against("default", 0.001, -0.004, 0.006, 0.7)]

    assert decide(comparisons, metric="accuracy", n=5000, margin=0.005).kind == "cannot_tell"


def test_a_small_test_cannot_tell_and_says_how_many_rows_would():
    words = against("tfidf_words", 0.02, -0.0192, 0.0592, 0.3)

    verdict = decide([words], metric="accuracy", n=500)

    # standard error 0.0392 / 1.96 = 0.02; 500 * (2.8016 * 0.02 / 0.02)^2 = 3,924
    assert verdict.numbers["rows_needed"] == 4000
    assert verdict.sentence == (
        "Cannot tell with 500 test rows: the tuned model's accuracy is 2.0 points above TF-IDF "
        "of words with a linear model (95% interval -1.9 to +5.9 points, p = 0.300); about "
        "4,000 test rows would tell a true difference of 2.0 points."
    )
    assert verdict.sentence_zh == (
        "无法判断：在 500 条测试样本上，调优后模型的准确率比词级 TF-IDF 加线性模型高 2.0 个百分点"
        "（95% 置信区间为 -1.9 至 +5.9 个百分点，p = 0.300）；"
        "若真实差距为 2.0 个百分点，约需 4,000 条测试样本才能判断。"
    )


def test_a_difference_of_nothing_asks_for_the_rows_that_would_tell_the_margin():
    level = against("default", -0.0002, -0.0394, 0.0390, 1.0, metric="macro_f1")

    verdict = decide([level], metric="macro_f1", n=500)

    # 500 * (2.8016 * 0.02 / 0.01)^2 = 15,698
    assert verdict.numbers["rows_needed"] == 16_000
    assert verdict.numbers["rows_needed_for"] == 0.01
    assert "macro-F1 is the same as that of the untuned default settings" in verdict.sentence
    assert "宏平均 F1 与未调优的默认设置相同" in verdict.sentence_zh


def test_more_rows_than_there_are_would_be_needed():
    verdict = decide([against("default", 0.5, -0.1, 0.9, 0.2)], metric="accuracy", n=2)

    assert verdict.numbers["rows_needed"] > 2


@pytest.mark.parametrize("metric", ["macro_f1", "mcc", "log_loss"])
def test_every_objective_but_accuracy_is_judged_by_macro_f1(metric):
    better = against("default", 0.023, 0.012, 0.034, 0.0004, metric="macro_f1")

    verdict = decide([better], metric=metric, n=2000)

    assert verdict.kind == "worth_it"
    assert verdict.numbers["metric"] == "macro_f1"


@pytest.mark.parametrize("comparisons", [[], [MAJORITY]])
def test_without_a_serious_other_nothing_can_be_told(comparisons):
    verdict = decide(comparisons, metric="accuracy", n=100)

    assert verdict.kind == "cannot_tell"
    assert verdict.sentence.startswith("Cannot tell with 100 test rows: neither")
    assert verdict.numbers["comparator"] is None


def test_models_that_agree_on_every_row_of_two_cannot_be_told_apart():
    same = against("default", 0.0, -0.66, 0.66, 1.0)

    assert decide([same], metric="accuracy", n=2).kind == "cannot_tell"


def test_a_model_unknown_by_name_is_called_by_it():
    verdict = decide([against("fasttext", 0.02, -0.02, 0.06, 0.3)], metric="accuracy", n=500)

    assert "above fasttext (" in verdict.sentence
    assert "比 fasttext 高" in verdict.sentence_zh


def test_a_verdict_is_json_ready():
    found = decide([BETTER, MAJORITY], metric="accuracy", n=2000).as_json()

    assert json.loads(json.dumps(found)) == found


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ValueError, match="margin must be above 0"):
        decide([BETTER], metric="accuracy", n=2000, margin=0.0)
