"""Split rows: class shares kept, duplicates on one side, order of rows ignored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from tuner.row_groups import groups_by_class

__all__ = ["assign_parts", "deal_folds"]


def assign_parts(
    keys: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[int],
    *,
    shares: Mapping[str, float],
    seed: int,
) -> list[str]:
    """Assign every row to a part.

    Parameters
    ----------
    keys
        Duplicate keys, length n; they alone decide the order in which groups are dealt out.
    labels
        Class of each row, length n.
    groups
        Duplicate group of each row, length n; a group is never on two sides.
    shares
        Part name to its share, in order of preference for classes too small to reach all parts;
        scaled to add up to 1.
    seed
        Another seed deals the groups in another order.

    Returns
    -------
    list of str, length n
        Part names.

    Notes
    -----
    Within a class, groups are dealt in the order of a keyed hash, largest first, each to the
    part that lacks most rows of that class. With groups of one row every part's count is within
    one of its exact share. A group whose rows bear several labels follows its commonest label.

    >>> parts = assign_parts("abcd", "xxyy", [0, 1, 2, 3], shares={"train": 1, "test": 1}, seed=0)
    >>> sorted(parts[:2]), sorted(parts[2:])
    (['test', 'train'], ['test', 'train'])
    """
    total = sum(shares.values())
    part_of = [""] * len(keys)
    for dealt in _groups_by_class(keys, labels, groups, seed):
        n_rows = sum(len(rows) for rows in dealt)
        lacking = {part: n_rows * share / total for part, share in shares.items()}
        # Too few groups for shares to reach every part: each part gets one group first.
        first = list(shares) if len(dealt) < 2 * len(shares) else []
        for index, rows in enumerate(dealt):
            if index < len(first):
                part = first[index]
            else:
                part = max(lacking, key=lambda name: lacking[name])
            lacking[part] -= len(rows)
            for row in rows:
                part_of[row] = part
    return part_of


def deal_folds(
    keys: Sequence[str], labels: Sequence[str], groups: Sequence[int], *, n_folds: int, seed: int
) -> list[int | None]:
    """Deal rows over folds of about one size, for cross-validation.

    Parameters
    ----------
    keys, labels, groups, seed
        As those of `assign_parts`.
    n_folds
        Folds, at least 2.

    Returns
    -------
    list of int or None, length n
        Fold of each row, from 0; None for the rows of a class of a single group, which could not
        be learnt where they were left out.

    Notes
    -----
    Each group goes to the fold with fewest rows of its class; of equal ones to that with fewest
    rows in all, so that what small classes leave over does not heap up in the first folds.

    >>> deal_folds("abcdef", "xxyyzz", [0, 1, 2, 3, 4, 4], n_folds=2, seed=0).count(None)
    2
    """
    fold_of: list[int | None] = [None] * len(keys)
    n_rows = [0] * n_folds
    for dealt in _groups_by_class(keys, labels, groups, seed):
        if len(dealt) < 2:
            continue
        of_class = [0] * n_folds
        for rows in dealt:
            fold = min(range(n_folds), key=lambda each: (of_class[each], n_rows[each], each))
            of_class[fold] += len(rows)
            n_rows[fold] += len(rows)
            for row in rows:
                fold_of[row] = fold
    return fold_of


def _groups_by_class(
    keys: Sequence[str], labels: Sequence[str], groups: Sequence[int], seed: int
) -> Iterator[list[list[int]]]:
    """Give the rows of each group, class by class; largest first, then by their hash."""

    def rank(rows: list[int]) -> tuple[int, str]:
        return -len(rows), min(_order(seed, keys[row]) for row in rows)

    for _, of_class in sorted(groups_by_class(labels, groups).items()):
        yield sorted(of_class, key=rank)


def _order(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
