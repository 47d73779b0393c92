"""Random changes of train texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tuner.config import AugmentationSettings
from tuner.features import Encoder, fit_replacements
from tuner.packed import PackedTokens
from tuner.training.augment import augment

SIZE = 30
TEXTS = np.zeros((200, 8), np.int32)
for row, length in enumerate(np.random.default_rng(0).integers(1, 9, len(TEXTS))):
    TEXTS[row, :length] = np.random.default_rng(row).permutation(np.arange(2, 10))[:length]


@dataclass
class Tables:
    """Neighbours are 10 more than the token, misspellings 20 more."""

    neighbours: np.ndarray
    misspellings: np.ndarray

    @property
    def is_single(self):
        return np.arange(SIZE) > 0

    def with_ngrams(self, singles):
        return singles


TABLES = Tables(
    neighbours=((np.arange(SIZE) + 10) % SIZE)[:, None].repeat(2, axis=1),
    misspellings=((np.arange(SIZE) + 20) % SIZE)[:, None].repeat(3, axis=1),
)


def changed(*, seed=0, texts=TEXTS, tables=TABLES, **chances):
    settings = AugmentationSettings(**{"share": 1.0, **chances})
    return augment(texts, settings, tables, np.random.default_rng(seed))


def lengths(texts):
    return (texts != 0).sum(axis=1)


def test_deletion_keeps_the_order_closes_up_and_leaves_a_token():
    found = changed(deletion=0.5)

    assert (lengths(found) >= 1).all()
    assert 0.3 < 1 - lengths(found).sum() / lengths(TEXTS).sum() < 0.6
    for before, after in zip(TEXTS.tolist(), found.tolist(), strict=True):
        kept = [token for token in after if token]
        assert after == kept + [0] * (8 - len(kept))
        assert kept == [token for token in before if token in kept]


def test_swap_keeps_every_text_s_tokens():
    found = changed(swap=0.6)

    assert np.array_equal(np.sort(found), np.sort(TEXTS))
    assert np.array_equal(lengths(found), lengths(TEXTS))
    assert (found != TEXTS).any(axis=1).mean() > 0.5


@pytest.mark.parametrize(("kind", "shift"), [("neighbours", 10), ("noise", 20)])
def test_replacements_come_from_their_table_at_the_chance_that_is_set(kind, shift):
    found = changed(**{kind: 0.25})

    is_changed = found != TEXTS
    assert np.array_equal(found[is_changed], TEXTS[is_changed] + shift)
    assert 0.2 < is_changed.sum() / lengths(TEXTS).sum() < 0.3


def test_share_says_how_many_texts_are_changed():
    found = changed(share=0.3, neighbours=0.99)

    assert 0.2 < (found != TEXTS).any(axis=1).mean() < 0.4


def test_texts_of_the_caller_stay_as_they_are_and_the_type_too():
    texts = TEXTS.astype(np.uint16)
    found = changed(texts=texts, deletion=0.3, swap=0.3, neighbours=0.3, noise=0.3)

    assert np.array_equal(texts, TEXTS)
    assert found.dtype == np.uint16


def test_same_seed_changes_alike_and_another_otherwise():
    every = {"deletion": 0.2, "swap": 0.2, "neighbours": 0.2, "noise": 0.2}

    assert np.array_equal(changed(**every), changed(**every))
    assert not np.array_equal(changed(**every), changed(seed=1, **every))


@pytest.fixture(params=[(2, None), (3, None), (1, (2, 3)), (2, (2, 2))])
def with_ngrams(request):
    ngrams, subwords = request.param
    texts = [["a", "b", "a", "c"], ["b", "a"], ["c"], ["a", "b", "a", "b", "c", "a"]]
    names = ["a", "b", "c", "a\x1fb", "b\x1fa", "a\x1fb\x1fa", "\x1e a", "\x1ea ", "\x1e c"]
    vocabulary = {token: n for n, token in enumerate(["[PAD]", "[UNK]", *names])}
    encoder = Encoder(vocabulary, ngrams, 24, subwords)
    encoded = encoder.encode(PackedTokens.pack(texts))
    tables = fit_replacements(vocabulary, encoded, ngrams=ngrams, subwords=subwords)
    return encoder, encoded.padded(np.arange(4), 24), tables


def test_ngrams_are_made_anew_as_the_encoder_makes_them(with_ngrams):
    encoder, texts, tables = with_ngrams
    found = changed(texts=texts, tables=tables, swap=0.9)

    names = {number: token for token, number in encoder.vocabulary.items()}
    words = [[names[n] for n in row if n and names[n] in "abc"] for row in found.tolist()]
    expected = encoder.encode(PackedTokens.pack(words)).padded(np.arange(4), 24)
    assert np.array_equal(found, expected)
    assert not np.array_equal(found, texts)


def test_text_of_which_nothing_is_drawn_keeps_its_ngrams(with_ngrams):
    _, texts, tables = with_ngrams

    assert np.array_equal(changed(texts=texts, tables=tables, swap=1e-12), texts)


def test_a_long_text_whose_last_ngram_reaches_beyond_the_cut_keeps_its_tokens(with_ngrams):
    _, texts, tables = with_ngrams
    cut = texts[:, :3]

    found = changed(texts=cut, tables=tables, swap=1e-12)

    for before, after in zip(cut, found, strict=True):
        assert after[tables.is_single[after]].tolist() == before[tables.is_single[before]].tolist()
        assert set(after.tolist()) <= {0, *before.tolist()}
