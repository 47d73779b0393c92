"""Training to guess hidden words: it learns, and stopping in between changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.errors import ConfigError, Interrupted
from tuner.persist import pack_arrays, unpack_arrays
from tuner.training.masked_language import (
    WORD_BEGINS,
    Budget,
    Sequences,
    bert_architecture,
    pretrain,
)
from tuner.training.masked_language.program import MaskedLanguageProgram


class Kept:
    """A memory that keeps the last state."""

    def __init__(self):
        self.state = None

    def load(self):
        return None if self.state is None else unpack_arrays(self.state)

    def save(self, state):
        self.state = pack_arrays(state)


class StopAt:
    """Asks to stop the n-th time."""

    def __init__(self, n):
        self.left = n

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            raise Interrupted(2)


def sequences(n, *, seed=0):
    """Texts whose pieces follow each other: from any one the next can be told."""
    generator = np.random.default_rng(seed)
    starts, lengths = generator.integers(0, 20, n), generator.integers(4, 22, n)
    texts = [
        (5 + (start + np.arange(length)) % 20).astype(np.uint16) | WORD_BEGINS
        for start, length in zip(starts, lengths, strict=True)
    ]
    return Sequences(np.concatenate(texts), np.cumsum(lengths), 24, 25)


ARCHITECTURE = bert_architecture(layers=2, width=16, heads=2, length=24)
LONG = Budget(epochs=50, steps=None, minutes=None, batch_size=16, learning_rate=0.01)
SHORT = Budget(epochs=1, steps=25, minutes=None, batch_size=16, learning_rate=0.01)


def run(budget, *, memory=None, stop=lambda: None, watch=lambda *_: None):
    return pretrain(
        sequences(200), sequences(20, seed=1), ARCHITECTURE, budget, seeds=(1, 2, 3),
        memory=memory or Kept(), watch=watch, stop_requested=stop,
    )  # fmt: skip


def test_hidden_pieces_of_texts_that_were_held_out_are_guessed_better():
    found = run(LONG).evaluations

    assert found[0].step == 0
    assert found[0].loss == pytest.approx(np.log(25), abs=0.3)
    assert found[-1].step == 50 * 14  # 200 texts in batches of 16, by length
    assert found[-1].loss < 0.5 * found[0].loss
    assert found[-1].accuracy > 0.4  # one in 25 by chance


@pytest.mark.parametrize("batch_size", [3, 8, 16])
def test_each_held_out_text_counts_once_whatever_the_batches(batch_size, monkeypatch):
    held_out, guesses = sequences(20, seed=1), []
    evaluate = MaskedLanguageProgram.evaluate

    def watched(program, batch):
        guesses.append(evaluate(program, batch)[2])
        return evaluate(program, batch)

    monkeypatch.setattr(MaskedLanguageProgram, "evaluate", watched)
    pretrain(
        sequences(200), held_out, ARCHITECTURE, Budget(1, 1, None, batch_size, 0.01),
        seeds=(1, 2, 3), memory=Kept(), watch=lambda *_: None, stop_requested=lambda: None,
    )  # fmt: skip

    n_words = held_out.lengths - 2  # each piece is a word; of each text 15 %, one at least
    a_look = np.maximum(1, np.rint(0.15 * n_words)).sum()
    assert sum(guesses) == 2 * a_look  # before the first step and after the last


def test_stopped_and_gone_on_gives_the_weights_of_a_run_in_one_go():
    memory = Kept()
    seen = []
    whole = run(SHORT)
    with pytest.raises(Interrupted):
        run(SHORT, memory=memory, stop=StopAt(9))
    ended = run(SHORT, memory=memory, watch=lambda evaluation, _: seen.append(evaluation.step))

    assert seen[0] > 0  # gone on, not begun again
    assert [e.step for e in ended.evaluations] == [e.step for e in whole.evaluations]
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(weights, ended.weights[name], err_msg=name)


def test_stopped_during_an_evaluation_it_is_made_when_the_run_goes_on():
    memory, asked = Kept(), []
    whole = run(SHORT, stop=lambda: asked.append(1))
    with pytest.raises(Interrupted):
        run(SHORT, memory=memory, stop=StopAt(len(asked)))  # before the last held-out batch

    ended = run(SHORT, memory=memory)

    assert [e.step for e in ended.evaluations] == [e.step for e in whole.evaluations]
    assert ended.evaluations[-1].loss == whole.evaluations[-1].loss


def test_minutes_end_it_early_and_what_there_is_counts():
    found = run(Budget(10_000, None, 1e-9, 16, 0.01))

    assert found.evaluations[-1].step <= 1


def test_a_loss_that_is_no_number_any_more_names_the_rate():
    with pytest.raises(ConfigError, match=r"--learning-rate must be low enough"):
        run(Budget(5, None, None, 16, 1e30))
