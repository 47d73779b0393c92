"""Pieces of words: counted, encoded and changed as the texts say, one word after the other."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.features import Encoder, build_vocabulary
from tuner.packed import PackedTokens

DOCUMENTS = st.lists(st.lists(st.text("abc", min_size=1, max_size=5), max_size=6), max_size=6)
LENGTHS = st.tuples(st.integers(2, 4), st.integers(0, 2)).map(lambda pair: (pair[0], sum(pair)))


def pieces(word, lengths):
    padded = f" {word} "
    return [
        "\x1e" + padded[start : start + n]
        for start in range(len(padded))
        for n in range(lengths[0], lengths[1] + 1)
        if start + n <= len(padded) and n < len(padded)
    ]


def vocabulary_of(documents, lengths, *, size=10_000, n_texts_min=1):
    return build_vocabulary(
        PackedTokens.pack(documents), ngrams=1, size=size, min_count=1,
        ngram_min_count=n_texts_min, subwords=lengths,
    )  # fmt: skip


@pytest.fixture(params=[200_000, 2], ids=["at once", "in blocks"])
def _block(request, monkeypatch):
    monkeypatch.setattr("tuner.features.vocabulary._BLOCK_WORDS", request.param)


@pytest.mark.usefixtures("_block")
def test_vocabulary_has_the_words_and_the_pieces_that_enough_texts_have():
    @given(DOCUMENTS, LENGTHS, st.integers(1, 3), st.integers(3, 40))
    def check(documents, lengths, n_texts_min, size):
        found = vocabulary_of(documents, lengths, size=size, n_texts_min=n_texts_min)

        words = Counter(word for text in documents for word in set(text))
        parts = Counter(
            part for text in documents for part in {p for w in text for p in pieces(w, lengths)}
        )
        entries = [(-n, 0, word) for word, n in words.items()]
        entries += [(-n, 1, part) for part, n in parts.items() if n >= n_texts_min]
        assert list(found)[2:] == [name for _, _, name in sorted(entries)][: size - 2]

    check()


@pytest.mark.usefixtures("_block")
def test_pieces_of_known_and_unknown_words_stand_behind_their_text():
    @given(DOCUMENTS, DOCUMENTS, LENGTHS, st.integers(1, 20))
    def check(train, documents, lengths, max_tokens):
        vocabulary = vocabulary_of(train, lengths)
        encoded = Encoder(vocabulary, 1, max_tokens, lengths).encode(PackedTokens.pack(documents))

        expected = [
            [vocabulary.get(word, 1) for word in text]
            + [
                vocabulary[part]
                for word in text[:max_tokens]
                for part in pieces(word, lengths)
                if part in vocabulary
            ]
            for text in documents
        ]
        ends = np.cumsum(encoded.lengths)[:-1]
        found = [ids.tolist() for ids in np.split(encoded.flat, ends)] if documents else []
        assert found == [ids[:max_tokens] or [1] for ids in expected]

    check()


def test_a_word_is_no_piece_of_itself():
    assert [name for name in vocabulary_of([["a", "be"]], (3, 4)) if "\x1e" in name] == [
        "\x1e be", "\x1ebe ",
    ]  # fmt: skip
