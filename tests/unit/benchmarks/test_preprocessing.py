"""The measurement of preparing: both ways have to come to the same ids, or times mean nothing."""

import preprocessing
import pytest


@pytest.mark.parametrize("segmenter", ["characters", "words"])
def test_plain_and_staged_steps_give_the_same_ids_cold_and_warm(tmp_path, segmenter):
    texts = preprocessing.texts_of(40, 30)
    settings = preprocessing.settings_of(segmenter)

    cold = preprocessing.staged(texts, settings, tmp_path)
    warm = preprocessing.staged(texts, settings, tmp_path)

    assert len(texts) == 40
    assert cold == warm == preprocessing.plain(texts, settings)
