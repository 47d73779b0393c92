import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.training.batches import TrainBucket, ahead, make_batches, touched_rows_max
from tuner.training.buckets import PIECE

IDS = np.array([[2, 7, 7, 0], [7, 9, 0, 0], [5, 0, 0, 0]], np.uint16)
BUCKET = TrainBucket(IDS, np.array([1, 0, 2], np.int32))


def batches(order, *, weights=None, rows_max=None):
    order = np.array(order, np.int32)
    weights = np.ones(order.shape, np.float32) if weights is None else np.float32(weights)
    return make_batches(BUCKET, order, weights, vocabulary_size=10, rows_max=rows_max)


@given(st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=2), min_size=1, max_size=PIECE))
def test_own_numbers_of_a_batch_lead_back_to_the_tokens(order):
    made = batches(order, rows_max=8)

    for step, rows in enumerate(order):
        assert np.array_equal(made.rows[step][made.token_ids[step]], IDS[rows])
        assert len(set(made.rows[step]) - {0}) == len(set(IDS[rows].ravel()) - {0})


def test_padding_keeps_the_number_nought():
    made = batches([[1, 2]], rows_max=8)

    assert np.array_equal(made.token_ids[0] == 0, IDS[[1, 2]] == 0)


def test_shape_does_not_depend_on_how_many_steps_there_are():
    one, two = batches([[0, 1]], rows_max=8), batches([[0, 1], [2, 0]], rows_max=8)

    assert one.token_ids.shape == two.token_ids.shape == (PIECE, 2, 4)
    assert one.rows.shape == two.rows.shape == (PIECE, 8)
    assert one.row_weights[1:].sum() == 0


def test_row_that_fills_up_a_batch_touches_no_further_row_of_the_embedding():
    made = batches([[0, 2]], weights=[[1.0, 0.0]], rows_max=8)

    assert made.rows[0][made.token_ids[0]].tolist() == [[2, 7, 7, 0], [2, 7, 7, 0]]
    assert set(made.rows[0]) == {0, 2, 7}
    assert made.row_weights[0].tolist() == [1.0, 0.0]


def test_texts_are_changed_alike_however_far_a_batch_is_filled_up():
    def shuffled(texts):
        return np.random.default_rng(1).permuted(texts, axis=1)

    def first_two(room):
        order = np.array([[0, 1] + [0] * (room - 2)], np.int32)
        weights = np.array([[1.0, 1.0] + [0.0] * (room - 2)], np.float32)
        made = make_batches(
            BUCKET, order, weights, vocabulary_size=10, rows_max=None, change=shuffled
        )
        return made.token_ids[0, :2].tolist()

    assert first_two(2) == first_two(5)


def test_batch_with_more_rows_than_foreseen_is_carried_all_the_same():
    made = batches([[0, 1]], rows_max=2)

    assert np.array_equal(made.rows[0][made.token_ids[0]], IDS[[0, 1]])


def test_changed_texts_that_touch_more_rows_share_few_shapes():
    generator = np.random.default_rng(4)
    bucket = TrainBucket(np.full((64, 40), 7, np.uint16), np.zeros(64, np.int32))
    order, weights = np.arange(64, dtype=np.int32)[None], np.ones((1, 64), np.float32)

    shapes = {
        make_batches(
            bucket, order, weights, vocabulary_size=5000, rows_max=1024,
            change=lambda texts, high=high: generator.integers(2, high, texts.shape),
        ).rows.shape
        for high in range(100, 5000, 100)
    }  # fmt: skip

    assert shapes == {(PIECE, 1024), (PIECE, 1536), (PIECE, 2304)}


def test_room_for_touched_rows_is_enough_and_much_less_than_the_worst_case():
    generator = np.random.default_rng(3)
    bucket = TrainBucket(
        np.minimum(generator.zipf(1.3, (500, 40)), 4999).astype(np.uint16), np.zeros(500, np.int32)
    )

    room = touched_rows_max(bucket, 32, vocabulary_size=5000)

    assert room < 32 * 40
    for _ in range(50):
        rows = generator.permutation(500)[:32]
        assert len(np.unique(bucket.token_ids[rows])) <= room


def test_no_batch_of_a_study_needs_a_larger_shape_than_was_foreseen():
    """One that does is a program more to compile, in the middle of a study."""
    generator = np.random.default_rng(3)
    ids = generator.integers(1, 60_000, (500, 400)).astype(np.uint16)
    ids[50:, 10:] = 0  # one text in ten is long
    bucket = TrainBucket(ids, np.zeros(500, np.int32))

    room = touched_rows_max(bucket, 16, vocabulary_size=60_000)

    batches = (ids[generator.choice(500, 16, replace=False)] for _ in range(3_000))
    assert max(len(np.unique(batch)) for batch in batches) <= room < 16 * 400


def test_calls_made_ahead_come_in_their_order():
    assert list(ahead([lambda n=n: n * n for n in range(5)])) == [0, 1, 4, 9, 16]
    assert list(ahead([])) == []
