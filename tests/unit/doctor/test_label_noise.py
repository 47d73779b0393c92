"""Label suspects: planted flips come first, clean and tiny data stay quiet."""

from __future__ import annotations

import random

import pytest

from tests.conftest import make_rows
from tuner.doctor import find_label_noise
from tuner.doctor.label_noise import deal_folds


def reviews(n=400):
    rows = make_rows(n)
    words = [[text[i : i + 2] for i in range(0, 12, 2)] for text, _ in rows]
    return words, [label for _, label in rows]


def flip(labels, rows):
    other = {"正面": "负面", "负面": "正面"}
    return [other[x] if row in rows else x for row, x in enumerate(labels)]


def test_planted_flips_are_suspected_with_their_old_label_and_nothing_else_is():
    tokens, labels = reviews()
    planted = set(random.Random(0).sample(range(400), 20))

    suspects = find_label_noise(tokens, flip(labels, planted), range(400), seed=0)

    found = {suspect.row for suspect in suspects}
    assert found <= planted
    assert len(found) >= 5
    assert all(suspect.suggested == labels[suspect.row] for suspect in suspects)


def test_surest_suspects_come_first():
    tokens, labels = reviews()

    suspects = find_label_noise(tokens, flip(labels, {3, 50, 77, 121}), range(400), seed=0)

    margins = [suspect.confidence - suspect.self_confidence for suspect in suspects]
    assert len(margins) > 1
    assert margins == sorted(margins, reverse=True)


def test_clean_data_has_no_suspects():
    tokens, labels = reviews()

    assert find_label_noise(tokens, labels, range(400), seed=0) == ()


def test_labels_that_the_words_do_not_tell_are_not_doubted():
    tokens, labels = reviews()
    random.Random(0).shuffle(labels)

    assert find_label_noise(tokens, labels, range(400), seed=0) == ()


def test_many_wrong_labels_are_found_where_the_words_tell_them():
    tokens, labels = reviews(2_000)
    planted = set(random.Random(0).sample(range(2_000), 440))

    found = {s.row for s in find_label_noise(tokens, flip(labels, planted), range(2_000), seed=0)}

    assert len(found & planted) > 100
    assert len(found & planted) > len(found) / 2


def test_same_seed_gives_the_same_suspects():
    tokens, labels = reviews()
    noisy = flip(labels, {3, 50, 77, 121})

    first = find_label_noise(tokens, noisy, range(400), seed=4)

    assert find_label_noise(tokens, noisy, range(400), seed=4) == first


def test_classes_with_few_rows_are_neither_judged_nor_suggested():
    tokens, labels = reviews(100)
    rare = [["很好"], ["很好"], ["罕见"]]

    suspects = find_label_noise(
        tokens + rare, [*labels, "两行", "两行", "一行"], range(103), seed=0
    )

    assert {suspect.row for suspect in suspects}.isdisjoint({100, 101, 102})
    assert {suspect.suggested for suspect in suspects}.isdisjoint({"两行", "一行"})


@pytest.mark.parametrize(
    "labels", [[], ["a"], ["a", "b"], ["a"] * 9 + ["b"]], ids=["none", "one", "two", "rest"]
)
def test_data_too_small_to_judge_gives_no_suspects(labels):
    tokens = [[str(row)] for row in range(len(labels))]

    assert find_label_noise(tokens, labels, range(len(labels)), seed=0) == ()


def test_texts_of_nothing_are_not_doubted():
    _, labels = reviews(60)

    assert find_label_noise([[] for _ in labels], labels, range(60), seed=0) == ()


def test_empty_texts_among_others_leave_the_suspects_as_they_are():
    tokens, labels = reviews()
    noisy = flip(labels, {3, 50, 77, 121}) + labels[:40]

    suspects = find_label_noise([*tokens, *[[]] * 40], noisy, range(440), seed=0)

    assert {suspect.row for suspect in suspects} == {3, 50, 77, 121}


def test_copies_of_a_row_do_not_vouch_for_it():
    # Five copies bear the wrong label too; as rows of their own they confirm it.
    tokens, labels = reviews()
    wrong = set(random.Random(0).sample(range(400), 20))
    copies = [row for row in sorted(wrong) for _ in range(5)]
    noisy = flip(labels, wrong)
    tokens += [tokens[row] for row in copies]
    noisy += [noisy[row] for row in copies]

    alone = find_label_noise(tokens, noisy, range(500), seed=0)
    grouped = find_label_noise(tokens, noisy, [*range(400), *copies], seed=0)

    assert wrong.isdisjoint(suspect.row for suspect in alone)
    assert wrong <= {suspect.row for suspect in grouped}


def test_folds_keep_groups_whole_and_class_shares_alike():
    labels = ["a"] * 50 + ["b"] * 50
    groups = [row // 2 for row in range(100)]

    folds = deal_folds(labels, groups, n_folds=5, seed=1)

    assert all(folds[row] == folds[row + 1] for row in range(0, 100, 2))
    assert [int((folds[:50] == fold).sum()) for fold in range(5)] == [10] * 5
    assert [int((folds[50:] == fold).sum()) for fold in range(5)] == [10] * 5
