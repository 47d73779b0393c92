"""Rows that belong together, by the class that they are dealt with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

__all__ = ["groups_by_class"]


def groups_by_class(labels: Sequence[str], groups: Sequence[int]) -> dict[str, list[list[int]]]:
    """Give the rows of each group, by the commonest label of its rows; of equal ones the first.

    Parameters
    ----------
    labels, groups
        Class and group of each row, length n.

    >>> groups_by_class("aba", [0, 0, 1])
    {'a': [[0, 1], [2]]}
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    by_class: dict[str, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(labels[row] for row in rows)
        by_class[min(counts, key=lambda name: (-counts[name], name))].append(rows)
    return dict(by_class)
