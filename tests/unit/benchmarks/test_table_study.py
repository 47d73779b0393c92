"""The replay of studies on recorded curves, on tables worked out by hand."""

import numpy as np
import pytest
from bench_table import draw, read_finished
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler
from table_study import best_row, make_table, run_study, top_pruned

from tuner.config import Settings, SpaceEntry, settings_record

SPACE = {
    "training.learning_rate": SpaceEntry(low=0.001, high=0.1, log=True),
    "model.dropout": SpaceEntry(low=0.0, high=0.5),
}


def a_table(n=12, n_epochs=4):
    """Row i is worth i / 100 on selection, and its curve stands there from the first epoch."""
    settings = Settings(space=SPACE)
    rows = [
        {
            "number": number,
            "params": {
                "training.learning_rate": 0.001 * 100 ** (number / (n - 1)),
                "model.dropout": 0.25,
            },
            "validation": [number / 100] * n_epochs,
            "selection": number / 100,
            "test": number / 50,
        }
        for number in range(n)
    ]
    return make_table({"set": "toy", "settings": settings_record(settings)}, rows)


class CutOddRows(BasePruner):
    def prune(self, study, trial):
        return trial.last_step == 2 and round(100 * trial.intermediate_values[2]) % 2 == 1


def replay(table, pruner=None, **budget):
    return run_study(
        table,
        lambda number: RandomSampler(seed=number),
        pruner or NopPruner(),
        seed=0,
        **budget,
    )


@pytest.mark.parametrize("n_workers", [1, 3])
def test_every_row_is_run_once_and_the_default_settings_first(n_workers):
    found = replay(a_table(), n_workers=n_workers)

    assert sorted(found.rows) == list(range(12))
    assert found.order[0] == 0
    assert found.spent[-1] == 12 * 4


def test_pruned_trials_cost_what_they_ran():
    found = replay(a_table(), CutOddRows())

    assert found.pruned.sum() == 6
    assert set(found.rows[found.pruned] % 2) == {1}
    assert found.spent[-1] == 6 * 4 + 6 * 2


def test_no_trial_begins_once_the_epochs_are_spent():
    found = replay(a_table(), n_epochs=9)

    assert list(found.spent) == [4, 8, 12]


def test_a_proposal_goes_to_the_nearest_row_that_is_free():
    table = a_table()
    near_row_five = {"training.learning_rate": 0.001 * 100 ** (5.2 / 11), "model.dropout": 0.0}

    assert table.nearest(near_row_five, set(range(12))) == 5
    assert table.nearest(near_row_five, {0, 6, 11}) == 6


def test_best_row_is_the_best_complete_one_within_the_epochs():
    table = a_table()
    found = replay(table, CutOddRows())

    assert best_row(table, found) == 10
    assert best_row(table, found, spent=4) == 0


def test_top_pruned_counts_the_best_that_were_cut_off():
    table = a_table()
    found = replay(table, CutOddRows())

    assert top_pruned(table.selection, found, n=12, top=5) == pytest.approx(
        3 / 5
    )  # 11, 9, 7 of 11 … 7
    assert top_pruned(table.selection, found, n=12, top=1) == 1.0


def test_a_line_that_was_cut_off_is_taken_out(tmp_path):
    path = tmp_path / "tables.jsonl"
    path.write_text('{"set": "trec", "number": 0}\n{"set": "tr')

    assert read_finished(path) == [{"set": "trec", "number": 0}]
    assert path.read_text() == '{"set": "trec", "number": 0}\n'


def test_configurations_are_drawn_over_the_whole_range_and_fixed_by_their_number():
    space = a_table().space
    drawn = np.array([list(draw(space, number, 0).values()) for number in range(400)])

    assert draw(space, 7, 0) == draw(space, 7, 0) != draw(space, 8, 0)
    assert drawn[:, 0].min() < 0.0012 < 0.08 < drawn[:, 0].max()
    assert np.median(drawn[:, 0]) == pytest.approx(0.01, rel=0.2)  # the middle of the log scale
