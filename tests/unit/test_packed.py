import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.packed import PackedTexts, PackedTokens, TokenPiece

TEXTS = st.lists(st.text(st.characters(exclude_categories=()), max_size=8), max_size=12)
DOCUMENTS = st.lists(st.lists(st.text("ab好", min_size=1, max_size=3), max_size=6), max_size=12)


@given(TEXTS)
def test_texts_survive_packing(texts):
    packed = PackedTexts.pack(texts)

    assert list(packed) == texts
    assert [packed[number] for number in range(len(packed))] == texts


@given(TEXTS, st.integers(0, 12), st.integers(0, 12))
def test_a_run_of_packed_texts_is_that_run(texts, start, stop):
    assert list(PackedTexts.pack(texts)[start:stop]) == texts[start:stop]


def test_texts_beyond_the_end_are_refused():
    with pytest.raises(IndexError):
        PackedTexts.pack(["a"])[1]


@given(DOCUMENTS)
def test_tokens_survive_packing_and_the_cache(documents):
    packed = PackedTokens.pack(documents)

    assert list(packed) == documents
    assert list(PackedTokens.from_arrays(packed.to_arrays())) == documents
    assert list(packed.lexicon) == sorted({token for tokens in documents for token in tokens})


@given(DOCUMENTS, st.integers(1, 5))
def test_how_tokens_were_cut_into_pieces_does_not_show(documents, size):
    pieces = [
        TokenPiece.pack(documents[start : start + size])
        for start in range(0, len(documents), size)
    ]

    joined, whole = PackedTokens.join(pieces), PackedTokens.pack(documents)

    assert joined.lexicon == whole.lexicon
    assert joined.ids.tolist() == whole.ids.tolist()
    assert joined.starts.tolist() == whole.starts.tolist()


@given(DOCUMENTS, st.sets(st.sampled_from(["a", "b", "好", "ab"])))
def test_tokens_are_left_out(documents, words):
    left = PackedTokens.pack(documents).without(words)

    assert list(left) == [
        [token for token in tokens if token not in words] for tokens in documents
    ]


@given(DOCUMENTS.filter(len), st.data())
def test_rows_are_taken_in_their_order(documents, data):
    rows = data.draw(st.lists(st.integers(0, len(documents) - 1)))

    taken = PackedTokens.pack(documents).take(np.array(rows, int))

    assert list(taken) == [documents[row] for row in rows]


def test_many_types_need_more_than_sixteen_bits():
    documents = [[str(number)] for number in range(70_000)]

    packed = PackedTokens.pack(documents)

    assert packed.ids.dtype == np.int32
    assert packed[69_999] == ["69999"]
    assert PackedTokens.pack(documents[:100]).ids.dtype == np.uint16
