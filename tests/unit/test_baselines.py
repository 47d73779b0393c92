from tuner import baselines
from tuner.baselines import (
    LabelledTokens,
    fit_tfidf_characters,
    fit_tfidf_words,
    majority_class,
)


def test_characters_tell_what_rare_words_cannot():
    # No word of validation stands in train; the characters 好 and 差 do.
    train = [["好看"], ["好吃"], ["好听"], ["差劲"], ["差评"], ["太差"]]
    labels = ["+", "+", "+", "-", "-", "-"]
    validation = [["真好"], ["好用"], ["很差"], ["差极"]]

    model = fit_tfidf_characters(
        LabelledTokens(train, labels),
        LabelledTokens(validation, ["+", "+", "-", "-"]),
        seed=0,
    )

    assert model.ngrams == (1, 3)
    assert model.predict(validation) == ["+", "+", "-", "-"]


def test_characters_of_words_with_blanks_are_taken_in_longer_runs():
    train = LabelledTokens([["wonderful", "film"], ["awful", "film"]] * 3, ["+", "-"] * 3)
    model = fit_tfidf_characters(train, train, seed=0)

    assert model.ngrams == (2, 5)
    assert model.predict([["wonderfully"], ["awfully"]]) == ["+", "-"]


def test_texts_of_a_single_letter_are_told_apart():
    train = LabelledTokens([["a"], ["b"], ["c"], ["x"], ["y"], ["z"]], ["+"] * 3 + ["-"] * 3)
    model = fit_tfidf_characters(train, train, seed=0)

    assert model.predict([["b"], ["y"]]) == ["+", "-"]


def test_empty_text_is_answered_too():
    train = LabelledTokens([["good"], ["bad"], []] * 2, ["+", "-", "-"] * 2)
    model = fit_tfidf_words(train, train, seed=0)

    assert model.predict([[]]) == ["-"]


def test_rows_sorted_by_class_do_not_break_the_choice_of_the_cost(monkeypatch):
    monkeypatch.setattr("tuner.baselines.ROWS_FOR_COSTS", 3)
    train = LabelledTokens([["good"]] * 4 + [["bad"]] * 4, ["+"] * 4 + ["-"] * 4)
    model = fit_tfidf_words(train, train, seed=0)

    assert model.predict([["good"], ["bad"]]) == ["+", "-"]


def test_the_cost_is_chosen_on_all_classes_of_a_sorted_table(monkeypatch):
    monkeypatch.setattr("tuner.baselines.ROWS_FOR_COSTS", 60)
    fit, seen = baselines._svm, []

    def watched(features, labels, *rest):
        seen.append(set(labels))
        return fit(features, labels, *rest)

    monkeypatch.setattr("tuner.baselines._svm", watched)
    rows = LabelledTokens(
        [[f"w{n // 30}"] for n in range(120)], [f"{n // 30}" for n in range(120)]
    )

    fit_tfidf_words(rows, rows, seed=0)

    assert all(labels == {"0", "1", "2", "3"} for labels in seen)


def test_majority_of_equal_classes_is_the_first_by_name():
    assert majority_class(["b", "a"]) == "a"
