from collections import Counter

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


def runs(tokens, longest):
    """Give the runs of 1, …, longest tokens, by where they begin."""
    return [
        tokens[start : start + n]
        for start in range(len(tokens))
        for n in range(1, longest + 1)
        if start + n <= len(tokens)
    ]


@pytest.fixture(params=[2_000_000, 3], ids=["at once", "in blocks"])
def _block(request, monkeypatch):
    monkeypatch.setattr("tuner.features.vocabulary._BLOCK_TOKENS", request.param)
    monkeypatch.setattr("tuner.features.vocabulary._RUNS_HELD", request.param)


def test_vocabulary_counts_texts_and_breaks_ties_by_spelling():
    # 好 is in 2 texts, 看 in 2, 差 in 1; U+597D (好) sorts before U+770B (看).
    assert vocabulary_of(TRAIN) == {"[PAD]": 0, "[UNK]": 1, "好": 2, "看": 3, "差": 4}


def test_vocabulary_is_capped_with_its_special_entries():
    assert list(vocabulary_of(TRAIN, size=3)) == ["[PAD]", "[UNK]", "好"]


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("ngrams", [1, 2, 4])
def test_vocabulary_is_that_of_counting_one_text_after_the_other(ngrams):
    @given(DOCUMENTS, st.integers(3, 12), st.integers(1, 3), st.integers(1, 3))
    def check(documents, size, min_count, ngram_min_count):
        found = vocabulary_of(
            documents, ngrams=ngrams, size=size, min_count=min_count,
            ngram_min_count=ngram_min_count,
        )  # fmt: skip

        counts = Counter(
            run for tokens in documents for run in set(map(tuple, runs(tokens, ngrams)))
        )
        frequent = [
            (-n, len(run), run)
            for run, n in counts.items()
            if n >= (ngram_min_count if len(run) > 1 else min_count)
            and all(counts[token,] >= min_count for token in run)
        ]
        expected = [JOINT.join(run) for _, _, run in sorted(frequent)]
        assert list(found)[2:] == expected[: size - 2]
        assert list(found.values()) == list(range(len(found)))

    check()


def test_unknown_token_and_empty_text_become_unk():
    encoded = encode([["好", "新"], []])

    assert encoded.lengths.tolist() == [2, 1]
    assert encoded.flat.tolist() == [2, 1, 1]


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("ngrams", [1, 2, 4])
def test_encoding_is_that_of_looking_up_one_run_after_the_other(ngrams):
    @given(DOCUMENTS, DOCUMENTS, st.integers(1, 9), st.integers(3, 12))
    def check(train, documents, max_tokens, size):
        vocabulary = vocabulary_of(train, ngrams=ngrams, size=size)
        encoded = encode(documents, train=train, ngrams=ngrams, max_tokens=max_tokens, size=size)

        expected = [
            [
                vocabulary.get(JOINT.join(run), 1)
                for run in runs(tokens, ngrams)
                if len(run) == 1 or JOINT.join(run) in vocabulary
            ]
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
    train = encode([["好"] * n for n in range(1, 101)], max_tokens=100)

    assert fit_length(train, FeatureSettings(length_percentile=50)) == 51
    assert fit_length(train, FeatureSettings(max_tokens=7)) == 7


def test_cut_is_what_encoding_up_to_that_length_gives():
    whole = encode([["好", "看", "差"], [], ["差"]])

    cut, expected = whole.cut(2), encode([["好", "看", "差"], [], ["差"]], max_tokens=2)

    assert cut.flat.tolist() == expected.flat.tolist()
    assert cut.lengths.tolist() == expected.lengths.tolist()


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
