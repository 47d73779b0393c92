"""A corpus as sequences of pieces on disk."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import make_rows
from tuner.errors import DataError
from tuner.persist import Cache
from tuner.pipeline.corpus_pieces import obtain_pieces
from tuner.training.masked_language import WORD_BEGINS

TEXTS = [text for text, _ in make_rows(400)]


def cut(folder, texts, *, length=40):
    path = folder / "corpus.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    return obtain_pieces(
        str(path), (), vocabulary_size=300, length=length, cache=Cache(folder), key="k",
        stop_requested=lambda: None,
    )  # fmt: skip


def shown(pieces, sequences):
    """Each sequence as text, a bar before every word."""
    out, start = [], 0
    for end in sequences.ends:
        marked = sequences.flat[start:end]
        out.append(
            "".join(
                ("|" if piece & WORD_BEGINS else "")
                + pieces.vocabulary[piece & ~WORD_BEGINS].removeprefix("##")
                for piece in marked
            )
        )
        start = end
    return out


def test_every_text_is_there_once_and_words_begin_where_jieba_cuts(tmp_path):
    pieces = cut(tmp_path, TEXTS)
    found = shown(pieces, pieces.train) + shown(pieces, pieces.held_out)

    assert sorted(text.replace("|", "") for text in found) == sorted(TEXTS)
    assert pieces.vocabulary[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    rooms = [text for text in found if "房间" in text]
    assert rooms
    assert all("|房间" in text and "房|间" not in text for text in rooms)


def test_about_one_text_in_twenty_is_held_out_and_its_copies_are_not_trained_on(tmp_path):
    pieces = cut(tmp_path, TEXTS * 2)
    held_out = shown(pieces, pieces.held_out)

    assert 5 <= len(held_out) <= 45
    assert not set(held_out) & set(shown(pieces, pieces.train))
    assert len(pieces.train) == 2 * (len(TEXTS) - len(held_out))


def test_a_long_text_becomes_several_sequences(tmp_path):
    pieces = cut(tmp_path, ["".join(TEXTS[i : i + 10]) for i in range(390)], length=32)

    assert len(pieces.train) > 390
    assert pieces.train.lengths.max() == 32
    assert np.diff(pieces.train.ends).min() > 0


def test_a_corpus_too_small_to_learn_from_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"at least 50 texts to train on beside .*; got 9\."):
        cut(tmp_path, TEXTS[:10])
