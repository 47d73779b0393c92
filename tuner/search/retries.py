"""Whether a trial that was cut off runs again, and with what in its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DEATHS_MAX", "LOST_MAX", "retry_attributes"]

LOST_MAX = 10
"""Times that a trial is lost with its worker and runs again."""
DEATHS_MAX = 3
"""Deaths of its guarded process in one epoch, after which a configuration is set aside."""


def retry_attributes(
    number: int,
    attributes: Mapping[str, Any],
    *,
    is_lost: bool,
    death_epoch: int | None = None,
) -> dict[str, Any] | None:
    """Give the attributes of the trial that runs a cut-off one again; None if none shall.

    Whoever runs it has died ten times: it stays failed, and another configuration is drawn. The
    same after three deaths of its guarded process in one epoch, which a worker's never count as.

    Parameters
    ----------
    number, attributes
        Of the trial that was cut off.
    is_lost
        Whether its worker is gone.
    death_epoch
        The epoch in which its guarded process died, from 1; None if it did not.
    """
    n_lost = int(attributes.get("lost", 0)) + is_lost
    deaths = [*attributes.get("deaths", ())] + ([] if death_epoch is None else [death_epoch])
    if n_lost > LOST_MAX or deaths.count(death_epoch) >= DEATHS_MAX:
        return None
    return {
        "origin": int(attributes.get("origin", number)),
        "attempt": int(attributes.get("attempt", 1)) + 1,
        "lost": n_lost,
        "default": bool(attributes.get("default")),
        **({"deaths": deaths} if deaths else {}),
    }
