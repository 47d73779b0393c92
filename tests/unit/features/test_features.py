import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.config import FeatureSettings
from tuner.features import (
    add_ngrams,
    build_vocabulary,
    features_from_arrays,
    features_to_arrays,
    fit_encoder,
)
from tuner.persist import pack_arrays, unpack_arrays

TRAIN = [["好", "看", "好"], ["好", "差"], ["看"], []]


def test_vocabulary_counts_texts_and_breaks_ties_by_spelling():
    vocabulary = build_vocabulary(TRAIN, size=10, min_count=1, ngram_min_count=1)

    # 好 is in 2 texts, 看 in 2, 差 in 1; U+597D (好) sorts before U+770B (看).
    assert vocabulary == {"[PAD]": 0, "[UNK]": 1, "好": 2, "看": 3, "差": 4}


def test_vocabulary_is_capped_with_its_special_entries():
    assert len(build_vocabulary(TRAIN, size=3, min_count=1, ngram_min_count=1)) == 3


def test_unknown_token_and_empty_text_become_unk():
    encoder = fit_encoder(TRAIN, FeatureSettings(), ngrams=1)

    encoded = encoder.encode([["好", "新"], []])

    assert encoded.lengths.tolist() == [2, 1]
    assert encoded.flat.tolist() == [2, 1, 1]


def test_padding_fills_and_cuts():
    encoder = fit_encoder(TRAIN, FeatureSettings(length_percentile=100), ngrams=1)
    encoded = encoder.encode([["好"], ["好", "看", "差"]])

    assert encoded.padded(np.array([1, 0]), 2).tolist() == [[2, 3], [2, 0]]


def test_length_is_the_percentile_of_train_and_never_above_the_bound():
    documents = [["a"] * n for n in range(1, 101)]

    assert fit_encoder(documents, FeatureSettings(length_percentile=50), ngrams=1).max_tokens == 51
    assert fit_encoder(documents, FeatureSettings(max_tokens=7), ngrams=1).max_tokens == 7


def test_rare_pairs_are_left_out_of_the_vocabulary():
    encoder = fit_encoder([["a", "b"], ["a", "b"], ["b", "c"]], FeatureSettings(), ngrams=2)

    pairs = [token for token in encoder.vocabulary if "\x1f" in token]

    assert pairs == ["a\x1fb"]


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=20))
def test_pairs_stand_behind_the_token_they_open(tokens):
    expanded = add_ngrams(tokens, 2)

    assert [token for token in expanded if "\x1f" not in token] == tokens
    assert len(expanded) == max(0, 2 * len(tokens) - 1)


def test_features_survive_the_cache():
    encoder = fit_encoder(TRAIN, FeatureSettings(), ngrams=2)
    encoded = {"train": encoder.encode(TRAIN)}

    arrays = unpack_arrays(pack_arrays(features_to_arrays(encoder, encoded)))
    again, parts = features_from_arrays(arrays, ["train"])

    assert again == encoder
    assert parts["train"].flat.tolist() == encoded["train"].flat.tolist()
