from collections import Counter
from itertools import pairwise, zip_longest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config import FeatureSettings
from tuner.features import (
    JOINT,
    Encoder,
    build_vocabulary,
    encoded_from_arrays,
    encoded_to_arrays,
    fit_length,
    vocabulary_from_arrays,
    vocabulary_to_arrays,
)
from tuner.packed import PackedTokens

TRAIN = [["好", "看", "好"], ["好", "差"], ["看"], []]
DOCUMENTS = st.lists(st.lists(st.text("ab好", min_size=1, max_size=2), max_size=8), max_size=8)


def vocabulary_of(documents, *, ngrams=1, size=100, min_count=1, ngram_min_count=1):
    return build_vocabulary(
        PackedTokens.pack(documents), ngrams=ngrams, size=size, min_count=min_count,
        ngram_min_count=ngram_min_count,
    )  # fmt: skip


def encode(documents, *, ngrams=1, max_tokens=10, train=TRAIN, **counts):
    vocabulary = vocabulary_of(train, ngrams=ngrams, **counts)
    return Encoder(vocabulary, ngrams, max_tokens).encode(PackedTokens.pack(documents))


def with_pairs(tokens):
    pairs = [f"{a}{JOINT}{b}" for a, b in pairwise(tokens)]
    return [token for both in zip_longest(tokens, pairs) for token in both if token is not None]


@pytest.fixture(params=[2_000_000, 3], ids=["at once", "in blocks"])
def _block(request, monkeypatch):
    monkeypatch.setattr("tuner.features.vocabulary._BLOCK_TOKENS", request.param)
    monkeypatch.setattr("tuner.features.vocabulary._PAIRS_HELD", request.param)


def test_vocabulary_counts_texts_and_breaks_ties_by_spelling():
    # 好 is in 2 texts, 看 in 2, 差 in 1; U+597D (好) sorts before U+770B (看).
    assert vocabulary_of(TRAIN) == {"[PAD]": 0, "[UNK]": 1, "好": 2, "看": 3, "差": 4}


def test_vocabulary_is_capped_with_its_special_entries():
    assert list(vocabulary_of(TRAIN, size=3)) == ["[PAD]", "[UNK]", "好"]


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("ngrams", [1, 2])
def test_vocabulary_is_that_of_counting_one_text_after_the_other(ngrams):
    @given(DOCUMENTS, st.integers(3, 9), st.integers(1, 3), st.integers(1, 3))
    def check(documents, size, min_count, ngram_min_count):
        found = vocabulary_of(
            documents, ngrams=ngrams, size=size, min_count=min_count,
            ngram_min_count=ngram_min_count,
        )  # fmt: skip

        counts = Counter(
            token
            for tokens in documents
            for token in set(with_pairs(tokens) if ngrams == 2 else tokens)
        )
        frequent = [
            (-n, token)
            for token, n in counts.items()
            if n >= (ngram_min_count if JOINT in token else min_count)
        ]
        assert list(found)[2:] == [token for _, token in sorted(frequent)][: size - 2]
        assert list(found.values()) == list(range(len(found)))

    check()


def test_unknown_token_and_empty_text_become_unk():
    encoded = encode([["好", "新"], []])

    assert encoded.lengths.tolist() == [2, 1]
    assert encoded.flat.tolist() == [2, 1, 1]


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("ngrams", [1, 2])
def test_encoding_is_that_of_looking_up_one_token_after_the_other(ngrams):
    @given(DOCUMENTS, DOCUMENTS, st.integers(1, 6))
    def check(train, documents, max_tokens):
        vocabulary = vocabulary_of(train, ngrams=ngrams)
        encoded = encode(documents, train=train, ngrams=ngrams, max_tokens=max_tokens)

        expected = [
            [vocabulary.get(token, 1) for token in (with_pairs(tokens) if ngrams == 2 else tokens)]
            for tokens in documents
        ]
        cut = [ids[:max_tokens] or [1] for ids in expected]
        assert encoded.lengths.tolist() == [len(ids) for ids in cut]
        assert encoded.flat.tolist() == [number for ids in cut for number in ids]

    check()


def test_padding_fills_and_cuts():
    encoded = encode([["好"], ["好", "看", "差"]])

    assert encoded.padded(np.array([1, 0]), 2).tolist() == [[2, 3], [2, 0]]


def test_large_parts_are_padded_in_steps(monkeypatch):
    encoded = encode([["好"] * (number % 3) for number in range(20)])
    whole = encoded.padded(np.arange(20), 2)
    monkeypatch.setattr("tuner.features.encode._CELLS_AT_ONCE", 6)

    assert encoded.padded(np.arange(20), 2).tolist() == whole.tolist()


def test_length_is_the_percentile_of_train_and_never_above_the_bound():
    documents = PackedTokens.pack(["a"] * n for n in range(1, 101))

    assert fit_length(documents, FeatureSettings(length_percentile=50), ngrams=1) == 51
    assert fit_length(documents, FeatureSettings(max_tokens=7), ngrams=1) == 7
    # 50.5 tokens and the pairs between them: 2 * 50.5 - 1
    assert fit_length(documents, FeatureSettings(length_percentile=50), ngrams=2) == 100


def test_rare_pairs_are_left_out_of_the_vocabulary():
    found = vocabulary_of([["a", "b"], ["a", "b"], ["b", "c"]], ngrams=2, ngram_min_count=2)

    assert [token for token in found if JOINT in token] == [f"a{JOINT}b"]


def test_features_survive_the_cache():
    vocabulary = vocabulary_of([["好", "\ud83d"], ["a", "b"]], ngrams=2)
    encoded = encode(TRAIN)

    again, length = encoded_from_arrays(
        encoded_to_arrays({"train": encoded}, max_tokens=7), ("train",)
    )

    assert vocabulary_from_arrays(vocabulary_to_arrays(vocabulary)) == vocabulary
    assert again["train"].flat.tolist() == encoded.flat.tolist()
    assert length == 7
