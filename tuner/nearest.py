"""Suggest the known name nearest to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str], *, lists: bool = True) -> str:
    """Say which known name was probably meant, as the end of an error message.

    Parameters
    ----------
    name
        What came in.
    known
        The names there are.
    lists
        Whether to list them, where they are few and none is near; a message may do so itself.

    Returns
    -------
    str
        ``" Did you mean 'x'?"``, or the short list of known names, or nothing.

    >>> did_you_mean("modle", ["model", "data"])
    " Did you mean 'model'?"
    >>> did_you_mean("zzz", ["model", "data"])
    ' Known: data, model.'
    """
    names = sorted(set(known))
    matches = get_close_matches(name, names, n=1, cutoff=0.6)
    if not matches:
        # The last part alone: `learning_rate` for `training.learning_rate`.
        tails = {known_name.rsplit(".", 1)[-1]: known_name for known_name in names}
        tail_matches = get_close_matches(name.rsplit(".", 1)[-1], tails, n=1, cutoff=0.7)
        matches = [tails[match] for match in tail_matches]
    if matches:
        return f" Did you mean {matches[0]!r}?"
    return f" Known: {', '.join(names)}." if lists and 0 < len(names) <= 12 else ""
