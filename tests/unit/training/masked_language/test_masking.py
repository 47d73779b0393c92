"""Which pieces are hidden."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.training.masked_language.masking import MASK, N_SPECIAL, mask_words

N, LENGTH = 400, 42
WORDS = 20  # of two pieces each, between start and end


@pytest.fixture(scope="module")
def batch():
    ids = np.zeros((N, LENGTH), np.int32)
    begins = np.zeros((N, LENGTH), bool)
    ids[:, 0], ids[:, -1] = 2, 3
    ids[:, 1:-1] = np.random.default_rng(0).integers(N_SPECIAL, 5_000, (N, LENGTH - 2))
    begins[:, 1:-1:2] = True
    lengths = np.full(N, LENGTH, np.int32)
    masked = mask_words(
        ids, begins, lengths, vocabulary_size=5_000, generator=np.random.default_rng(1)
    )
    return ids, masked


def test_fifteen_percent_of_the_words_of_each_text_are_guessed_whole(batch):
    _, masked = batch
    places = masked.places[masked.counts == 1]
    chosen = np.zeros(N * LENGTH, bool)
    chosen[places] = True
    words = chosen.reshape(N, LENGTH)[:, 1:-1].reshape(N, WORDS, 2)

    assert (words[..., 0] == words[..., 1]).all()
    assert (words[..., 0].sum(axis=1) == 3).all()  # 0.15 * 20


def test_start_and_end_are_never_guessed_and_targets_are_what_stood_there(batch):
    ids, masked = batch
    places = masked.places[masked.counts == 1]

    assert not np.isin(places % LENGTH, (0, LENGTH - 1)).any()
    assert (masked.targets[masked.counts == 1] == ids.reshape(-1)[places]).all()
    untouched = np.setdiff1d(np.arange(N * LENGTH), places)
    assert (masked.ids.reshape(-1)[untouched] == ids.reshape(-1)[untouched]).all()


def test_of_the_chosen_pieces_eight_in_ten_are_masked_and_one_in_ten_is_another(batch):
    ids, masked = batch
    places = masked.places[masked.counts == 1]
    shown, were = masked.ids.reshape(-1)[places], ids.reshape(-1)[places]

    assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.03)
    assert (shown == were).mean() == pytest.approx(0.1, abs=0.03)
    assert (shown[shown != MASK] >= N_SPECIAL).all()


def test_a_text_of_one_word_has_it_guessed_and_one_without_has_nothing():
    ids = np.array([[2, 9, 3, 0], [2, 3, 0, 0]], np.int32)
    begins = np.array([[False, True, False, False], [False] * 4])

    masked = mask_words(
        ids, begins, np.array([3, 2], np.int32), vocabulary_size=20,
        generator=np.random.default_rng(0),
    )  # fmt: skip

    assert masked.targets[masked.counts == 1].tolist() == [9]
