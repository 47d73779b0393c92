"""Leaks are found wherever they stand; honest words that tell the class are not."""

from __future__ import annotations

import random

import pytest

from tuner.doctor import find_leaks

TOPICS = {
    "sport": ["team", "match", "goal", "coach", "league", "player", "season"],
    "money": ["stock", "market", "bank", "price", "fund", "profit", "rate"],
    "film": ["actor", "scene", "movie", "star", "director", "plot", "screen"],
}
FRAME = ["the", "new", "old", "big", "small", "first", "last", "good", "bad", "late"]


def sentences(n=900, *, seed=0):
    """Sentences of three classes, adjectives and topic words by turns."""
    generator = random.Random(seed)
    texts, labels = [], []
    for row in range(n):
        label = list(TOPICS)[row % 3]
        words = [
            word
            for noun in generator.sample(TOPICS[label], 4)
            for word in (generator.choice(FRAME), noun)
        ]
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


def leaks_of(texts, labels, groups=None):
    return find_leaks([text.split() for text in texts], texts, labels, groups or range(len(texts)))


def mark(texts, labels, change, *, label="money", share=0.5):
    generator = random.Random(3)
    return [
        change(text) if found == label and generator.random() < share else text
        for text, found in zip(texts, labels, strict=True)
    ]


def test_honest_words_are_no_leaks():
    assert leaks_of(*sentences()) == ()


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda text: f"lbl7 {text}", "lbl7"),
        (lambda text: f"{text} lbl7", "lbl7"),
        (lambda text: f"sent from the desk {text}", "sent from the desk"),
        (lambda text: f"[money] {text}", "[money]"),
        (lambda text: f"{text} ###", "###"),
    ],
    ids=["start", "end", "phrase", "bracketed", "signs"],
)
def test_planted_mark_is_the_only_leak(change, shown, share):
    texts, labels = sentences()

    (leak,) = leaks_of(mark(texts, labels, change, share=share), labels)

    assert (leak.shown, leak.label) == (shown, "money")
    assert leak.purity == 1.0
    assert leak.coverage == pytest.approx(share, abs=0.08)


def test_leak_names_the_rows_that_hold_it():
    texts, labels = sentences()
    marked = mark(texts, labels, lambda text: f"lbl7 {text}")

    (leak,) = leaks_of(marked, labels)

    assert leak.rows == tuple(row for row, text in enumerate(marked) if "lbl7" in text)


def test_mark_that_preprocessing_took_out_is_found_in_the_raw_text():
    texts, labels = sentences()
    marked = mark(texts, labels, lambda text: f"<b class=x>{text}")

    (leak,) = find_leaks([text.split() for text in texts], marked, labels, range(len(texts)))

    assert leak.shown == "<b class=x>"


def test_mark_that_stands_in_other_classes_too_is_no_leak():
    texts, labels = sentences()
    marked = [f"lbl7 {text}" if row % 4 < 2 else text for row, text in enumerate(texts)]

    assert leaks_of(marked, labels) == ()


def test_word_without_which_the_sentence_breaks_is_no_leak():
    # "who was" opens most questions of one class and stands nowhere else.
    generator = random.Random(0)
    nouns = [word for words in TOPICS.values() for word in words]
    texts, labels = [], []
    for row in range(600):
        noun, other = generator.sample(nouns, 2)
        common = generator.random() < 0.2
        opening = "tell me" if common else ["who was", "what is", "where did"][row % 3]
        texts.append(f"{opening} the {noun} of {other}")
        labels.append(["person", "thing", "place"][row % 3])

    assert leaks_of(texts, labels) == ()


def test_each_class_with_a_mark_of_its_own_has_its_leak():
    texts, labels = sentences()
    marked = [f"{text} tag{label}" for text, label in zip(texts, labels, strict=True)]

    assert {(leak.shown, leak.label) for leak in leaks_of(marked, labels)} == {
        ("tagsport", "sport"), ("tagmoney", "money"), ("tagfilm", "film"),
    }  # fmt: skip


def test_many_copies_of_one_text_are_no_leak():
    texts, labels = sentences()
    copies = ["buy one get one free"] * 200
    groups = [*range(900), *[900] * 200]

    assert leaks_of(texts + copies, labels + ["money"] * 200, groups) == ()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_tables_with_hardly_a_row_have_no_leaks(n):
    texts, labels = sentences(n)

    assert leaks_of(texts, labels) == ()


def test_empty_token_lists_do_no_harm():
    texts, labels = sentences(90)

    assert find_leaks([[] for _ in texts], texts, labels, range(90)) == ()
