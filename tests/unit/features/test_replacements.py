"""What tokens may be replaced by, learnt from train alone."""

from __future__ import annotations

import numpy as np

from tuner.features import Encoded, Encoder, fit_replacements
from tuner.packed import PackedTokens


def vocabulary_of(*tokens):
    return {token: number for number, token in enumerate(["[PAD]", "[UNK]", *tokens])}


def test_words_that_stand_among_the_same_words_are_neighbours():
    generator = np.random.default_rng(0)
    fruit, tools = [f"fruit{i}" for i in range(40)], [f"tool{i}" for i in range(40)]
    frames = {"fruit": ["eat", "ripe", "sweet"], "tool": ["use", "steel", "sharp"]}
    texts = []
    for _ in range(1500):
        for kind, words in (("fruit", fruit), ("tool", tools)):
            before, after = generator.choice(frames[kind], 2)
            texts.append([before, str(generator.choice(words)), after])
    vocabulary = vocabulary_of(*fruit, *tools, *frames["fruit"], *frames["tool"])
    train = Encoder(vocabulary, 1, 3).encode(PackedTokens.pack(texts))

    found = fit_replacements(vocabulary, train, ngrams=1).neighbours

    kinds = {number: token[:4] for token, number in vocabulary.items()}
    same = [kinds[n] == kinds[row] for row in range(2, 82) for n in found[row].tolist()]
    assert np.mean(same) > 0.9
    assert not any(row in found[row] for row in range(2, 82))


def test_rare_words_and_special_entries_stand_for_themselves():
    vocabulary = vocabulary_of("a", "b")
    train = Encoded(np.array([2, 3], np.int32), np.array([2], np.int32))

    found = fit_replacements(vocabulary, train, ngrams=1)

    assert found.neighbours.tolist() == [[row] * 5 for row in range(4)]
    assert found.misspellings[:2].tolist() == [[0] * 4, [1] * 4]


def test_words_that_never_stand_together_stand_for_themselves():
    vocabulary = vocabulary_of(*(f"w{i}" for i in range(80)))
    alone = Encoded(np.tile(np.arange(2, 82), 6).astype(np.int32), np.full(480, 1, np.int32))
    # Every word beside every word, so that nothing stands together more often than by chance.
    pairs = np.stack(np.meshgrid(np.arange(2, 82), np.arange(2, 82)), axis=-1).reshape(-1, 2)
    by_chance = Encoded(pairs.ravel().astype(np.int32), np.full(len(pairs), 2, np.int32))

    for train in (alone, by_chance):
        found = fit_replacements(vocabulary, train, ngrams=1)
        assert found.neighbours.tolist() == [[row] * 5 for row in range(82)]


def test_misspelling_is_one_character_away_or_unknown():
    vocabulary = vocabulary_of("cat", "cart", "act", "好", "看", "很")
    train = Encoded(np.array([2], np.int32), np.array([1], np.int32))

    found = fit_replacements(vocabulary, train, ngrams=1).misspellings

    near_cat = {vocabulary[token] for token in ("cat", "cart", "act", "[UNK]")}
    assert set(found[vocabulary["cat"]].tolist()) <= near_cat
    # A token of one character becomes another character, never nothing.
    assert all(number != 0 for number in found[vocabulary["好"]].tolist())


def test_same_texts_give_the_same_tables():
    generator = np.random.default_rng(1)
    vocabulary = vocabulary_of(*(f"w{i}" for i in range(80)))
    flat = generator.integers(2, 82, 4000).astype(np.int32)
    train = Encoded(flat, np.full(400, 10, np.int32))

    first, second = (fit_replacements(vocabulary, train, ngrams=1) for _ in range(2))

    assert np.array_equal(first.neighbours, second.neighbours)
    assert np.array_equal(first.misspellings, second.misspellings)
