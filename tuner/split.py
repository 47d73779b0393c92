"""Split rows once per study: class shares kept, duplicates on one side, order of rows ignored."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

__all__ = ["assign_parts"]


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
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    by_class: dict[str, list[tuple[int, str, list[int]]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(labels[row] for row in rows)
        label = min(counts, key=lambda name: (-counts[name], name))
        order = min(_order(seed, keys[row]) for row in rows)
        by_class[label].append((-len(rows), order, rows))
    total = sum(shares.values())
    part_of = [""] * len(keys)
    for label in sorted(by_class):
        dealt = sorted(by_class[label], key=lambda group: group[:2])
        n_rows = sum(len(rows) for _, _, rows in dealt)
        lacking = {part: n_rows * share / total for part, share in shares.items()}
        # Too few groups for shares to reach every part: each part gets one group first.
        first = list(shares) if len(dealt) < 2 * len(shares) else []
        for index, (_, _, rows) in enumerate(dealt):
            if index < len(first):
                part = first[index]
            else:
                part = max(lacking, key=lambda name: lacking[name])
            lacking[part] -= len(rows)
            for row in rows:
                part_of[row] = part
    return part_of


def _order(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
