"""How much a trial adds to the memory of a child that has run others before."""

from __future__ import annotations

__all__ = ["Growth"]

_MARGIN = 1.5  # the next trial may take more than any before


class Growth:
    """Remembers the most that one trial has added, to end a child before it has no room left.

    What a child compiles for the shapes of its trials stays in its memory. Its first trial does
    not count: it brings libraries, data and the programs that all share. All figures are in 10^9
    bytes.
    """

    def __init__(self) -> None:
        self._most = 0.0
        self._is_first = True
        self._began = self._peak = 0.0

    def begin_child(self) -> None:
        """Hear that the next trial is the first one of its child."""
        self._is_first = True

    def begin_trial(self, taken: float) -> None:
        """Hear what the child has taken before a trial."""
        self._began = self._peak = taken

    def see(self, taken: float) -> None:
        """Hear what it takes during the trial."""
        self._peak = max(self._peak, taken)

    def end_trial(self) -> None:
        """Hear that the trial has run to its end."""
        if not self._is_first:
            self._most = max(self._most, self._peak - self._began)
        self._is_first = False

    def leaves_room(self, taken: float, limit: float) -> bool:
        """Say whether a child that has taken so much has room for a further trial.

        >>> growth = Growth()
        >>> for before, after in ((0.3, 1.0), (1.0, 1.2)):
        ...     growth.begin_trial(before)
        ...     growth.see(after)
        ...     growth.end_trial()
        >>> growth.leaves_room(1.2, limit=2.0), growth.leaves_room(1.8, limit=2.0)
        (True, False)
        """
        return self._is_first or taken + _MARGIN * self._most <= limit
