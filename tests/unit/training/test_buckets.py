import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.features import Encoded
from tuner.training.buckets import bucket_lengths, make_buckets, plan_epoch


def encoded(lengths):
    lengths = np.array(lengths, np.int32)
    return Encoded(np.arange(2, 2 + lengths.sum(), dtype=np.int32), lengths)


def test_every_text_is_in_the_smallest_bucket_that_holds_it():
    short, long = make_buckets(encoded([3, 8, 9, 40]), (8, 16))

    assert short.rows.tolist() == [0, 1]
    assert long.rows.tolist() == [2, 3]
    assert long.token_ids.shape == (2, 16)
    assert long.token_ids[0].tolist()[9:] == [0] * 7
    assert 0 not in long.token_ids[1]


def test_lengths_of_a_searched_range_are_few():
    lengths = np.random.default_rng(0).integers(1, 300, 5_000).astype(np.int32)

    found = {
        edge
        for max_tokens in range(20, 300, 7)
        for edge in bucket_lengths(lengths, max_tokens, few_sizes=True)
    }

    assert found <= {8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384}


def test_small_data_gets_one_bucket_and_skewed_data_several():
    assert bucket_lengths(np.array([5, 30], np.int32), 100) == (32,)
    skewed = np.array([10] * 9000 + [400] * 1000, np.int32)
    assert bucket_lengths(skewed, 400) == (16, 400)


@given(st.lists(st.integers(0, 70), min_size=1, max_size=4), st.integers(1, 16))
def test_an_epoch_has_every_row_once(sizes, batch_size):
    plan = plan_epoch(sizes, batch_size=batch_size, generator=np.random.default_rng(0))

    for size, order, weights in zip(sizes, plan.orders, plan.row_weights, strict=True):
        assert sorted(order[weights == 1.0].tolist()) == list(range(size))
    steps = {(p.bucket, step) for p in plan.pieces for step in range(p.start, p.stop)}
    assert len(steps) == sum(len(order) for order in plan.orders)


def test_batches_differ_by_one_row_at_most():
    plan = plan_epoch([65], batch_size=64, generator=np.random.default_rng(0))

    assert sorted(plan.row_weights[0].sum(axis=1).tolist()) == [32.0, 33.0]


def test_epoch_of_a_small_table_goes_over_it_until_it_has_enough_batches():
    plan = plan_epoch([30], batch_size=16, generator=np.random.default_rng(0), steps_min=10)

    assert len(plan.orders[0]) == 10
    counts = np.bincount(plan.orders[0][plan.row_weights[0] == 1.0], minlength=30)
    assert counts.tolist() == [5] * 30
