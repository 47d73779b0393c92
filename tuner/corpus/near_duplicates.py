"""Group texts that are the same but for a few characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from zlib import crc32

__all__ = ["MIN_CHARACTERS", "SIMILARITY", "near_duplicate_groups"]

SIMILARITY = 0.9
MIN_CHARACTERS = 20
SHINGLE = 3
BANDS, ROWS = 16, 6
# A pair at Jaccard s becomes a candidate with probability 1 - (1 - s**6)**16:
# 0.99999 at s = 0.9. What the index proposes is then measured exactly.
_SHINGLES_AT_ONCE = 10_000  # each takes about 2 kB meanwhile


def near_duplicate_groups(keys: Sequence[str]) -> list[int]:
    """Give every text the number of its group.

    Parameters
    ----------
    keys
        Duplicate keys (see `duplicate_key`), length n. Equal keys share a group; so do keys of at
        least 20 characters whose sets of character trigrams have a Jaccard similarity of at
        least 0.9, directly or over others.

    Returns
    -------
    list of int, length n
        Group numbers: the position of the group's first text.

    Notes
    -----
    MinHash and banding: Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive
    Datasets", chapter 3. Library: datasketch.
    """
    first: dict[str, int] = {}
    parent = list(range(len(keys)))
    unique: list[int] = []
    for position, key in enumerate(keys):
        if key in first:
            parent[position] = first[key]
        else:
            first[key] = position
            if len(key) >= MIN_CHARACTERS:
                unique.append(position)

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for left, right in _candidates(keys, unique):
        a, b = root(left), root(right)
        if a != b and _jaccard(keys[left], keys[right]) >= SIMILARITY:
            parent[max(a, b)] = min(a, b)
    return [root(position) for position in range(len(keys))]


def _shingles(key: str) -> set[str]:
    return {key[start : start + SHINGLE] for start in range(len(key) - SHINGLE + 1)}


def _jaccard(left: str, right: str) -> float:
    # Cheap bound first: sizes that differ by more than the threshold cannot reach it.
    a, b = _shingles(left), _shingles(right)
    small, large = sorted((len(a), len(b)))
    if small < SIMILARITY * large:
        return 0.0
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def _hash(shingle: bytes) -> int:
    return crc32(shingle)


def _candidates(keys: Sequence[str], positions: list[int]) -> Iterator[tuple[int, int]]:
    """Give pairs that share a band, each later text against every bucket's distinct members."""
    from datasketch import MinHash

    buckets: list[dict[bytes, list[int]]] = [{} for _ in range(BANDS)]
    empty = MinHash(num_perm=BANDS * ROWS, seed=1, hashfunc=_hash)
    for position in positions:
        sketch = empty.copy()
        shingles = (shingle.encode() for shingle in _shingles(keys[position]))
        while batch := list(islice(shingles, _SHINGLES_AT_ONCE)):
            sketch.update_batch(batch)
        bands = sketch.hashvalues.reshape(BANDS, ROWS)
        seen: set[int] = set()
        for band, bucket in zip(bands, buckets, strict=True):
            members = bucket.setdefault(band.tobytes(), [])
            for other in members:
                if other not in seen:
                    seen.add(other)
                    yield other, position
            # Past a few members a bucket is one template with many fillings: its first ones
            # stand for it, so that the work stays linear.
            if len(members) < 50:
                members.append(position)
