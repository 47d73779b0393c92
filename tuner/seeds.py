"""One study seed; every other seed is derived from it and says what it is for."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Stream", "derive_seed"]


class Stream(IntEnum):
    """What a derived seed is for. Members are only added, never renumbered."""

    SAMPLER = 0
    WEIGHTS = 1
    ORDER = 2
    DROPOUT = 3
    BASELINE = 4
    CONFIRMATION = 5
    FOLDS = 6
    EVALUATION = 7
    MASKING = 8


def derive_seed(study_seed: int, trial_number: int, stream: Stream) -> int:
    """Derive the seed of one stream of one trial.

    Parameters
    ----------
    study_seed
        The one seed written down in the settings, 0 or more.
    trial_number
        Number of the original trial; a retry passes its original's number.
    stream
        What the seed is for.

    Returns
    -------
    int
        A seed in [0, 2**31), the same on every machine.

    Notes
    -----
    ``numpy.random.SeedSequence`` with ``spawn_key=(trial_number, stream)``.

    >>> derive_seed(0, 3, Stream.WEIGHTS) == derive_seed(0, 3, Stream.WEIGHTS)
    True
    >>> derive_seed(0, 3, Stream.WEIGHTS) == derive_seed(0, 4, Stream.WEIGHTS)
    False
    """
    from numpy.random import SeedSequence

    sequence = SeedSequence(study_seed, spawn_key=(trial_number, int(stream)))
    return int(sequence.generate_state(1)[0] >> 1)
