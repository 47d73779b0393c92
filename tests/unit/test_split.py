from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.split import assign_parts

SHARES = {"train": 0.6, "test": 0.15, "validation": 0.15, "selection": 0.1}

rows = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=4, max_size=120)


@given(rows, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_no_group_is_on_two_sides_and_every_row_has_a_part(found, seed):
    groups = [group for group, _ in found]
    keys = [f"key{group}" for group in groups]

    parts = assign_parts(keys, [label for _, label in found], groups, shares=SHARES, seed=seed)

    assert set(parts) <= set(SHARES)
    sides = {}
    for group, part in zip(groups, parts, strict=True):
        assert sides.setdefault(group, part) == part


@given(st.permutations(range(30)))
@settings(max_examples=30, deadline=None)
def test_order_of_rows_does_not_matter(order):
    keys = [f"text {row}" for row in range(30)]
    labels = ["a" if row % 3 else "b" for row in range(30)]
    straight = assign_parts(keys, labels, range(30), shares=SHARES, seed=0)

    shuffled = assign_parts(
        [keys[row] for row in order],
        [labels[row] for row in order],
        list(range(30)),
        shares=SHARES,
        seed=0,
    )

    assert [straight[row] for row in order] == shuffled


def test_shares_hold_in_every_class():
    labels = ["a"] * 200 + ["b"] * 40
    parts = assign_parts([str(i) for i in range(240)], labels, range(240), shares=SHARES, seed=0)

    assert Counter(parts[:200]) == {"train": 120, "test": 30, "validation": 30, "selection": 20}
    assert Counter(parts[200:]) == {"train": 24, "test": 6, "validation": 6, "selection": 4}


def test_small_class_reaches_train_first_and_then_test():
    one = assign_parts(["k"], ["a"], [0], shares=SHARES, seed=0)
    two = assign_parts(["k", "l"], ["a", "a"], [0, 1], shares=SHARES, seed=0)
    four = assign_parts(list("klmn"), ["a"] * 4, range(4), shares=SHARES, seed=0)

    assert one == ["train"]
    assert sorted(two) == ["test", "train"]
    assert sorted(four) == ["selection", "test", "train", "validation"]


def test_another_seed_gives_another_split():
    keys = [str(i) for i in range(100)]
    first = assign_parts(keys, ["a"] * 100, range(100), shares=SHARES, seed=0)
    second = assign_parts(keys, ["a"] * 100, range(100), shares=SHARES, seed=1)

    assert first != second
