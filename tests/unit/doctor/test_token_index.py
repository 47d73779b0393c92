from hypothesis import given
from hypothesis import strategies as st

from tuner.doctor.token_index import TokenIndex

DOCUMENTS = st.lists(st.lists(st.sampled_from("abc"), max_size=6), max_size=8)


def spans_by_hand(documents, n_min, length_max):
    rows = {}
    for row, tokens in enumerate(documents):
        for length in range(1, length_max + 1):
            for begin in range(len(tokens) - length + 1):
                rows.setdefault(tuple(tokens[begin : begin + length]), set()).add(row)
    return {span: sorted(found) for span, found in rows.items() if len(found) >= n_min}


@given(DOCUMENTS, st.integers(1, 3))
def test_frequent_spans_are_those_counted_one_by_one(documents, n_min):
    index = TokenIndex(documents)

    found = {
        tuple(index.shown(span).split()): rows.tolist()
        for span, rows in index.frequent_spans(n_min, 3)
    }

    assert found == spans_by_hand(documents, n_min, 3)


def test_span_is_shown_as_it_is_written_in_its_language():
    index = TokenIndex([["本文", "来自", "体育"], ["sent", "from", "here"]])

    shown = {index.shown(span) for span, _ in index.frequent_spans(1, 3)}

    assert {"本文来自体育", "sent from here"} <= shown
