"""Who is inside: sessions in memory, and a limit to wrong logins."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from tuner.service.door.users import User

__all__ = ["FailedLogins", "Sessions"]

SESSION_SECONDS = 12 * 3600
_SESSIONS_MAX = 10_000
FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 100
FAILURE_SECONDS = 300
_REMEMBERED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _Session:
    user: User
    ends: float


class Sessions:
    """Sessions by their token; memory holds no token, only its digest.

    A restart ends them all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def open(self, user: User) -> str:
        """Begin a session and give its token, 256 random bits."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(token)] = _Session(user, self._clock() + SESSION_SECONDS)
            while len(self._sessions) > _SESSIONS_MAX:
                self._sessions.popitem(last=False)
        return token

    def find(self, token: str) -> User | None:
        """Give the user as he was at the login; None if there is no such session any more."""
        with self._lock:
            session = self._sessions.get(_digest(token))
            if session is None:
                return None
            if session.ends <= self._clock():
                del self._sessions[_digest(token)]
                return None
            return session.user

    def close(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(token), None)


class FailedLogins:
    """Makes those wait who have given too many wrong logins in `FAILURE_SECONDS`.

    `FAILURES_MAX` under one name from one address, so that a colleague behind the same address
    still gets in, and `ADDRESS_FAILURES_MAX` from one address under any names.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._of_names = _Counts(FAILURES_MAX, clock)
        self._of_addresses = _Counts(ADDRESS_FAILURES_MAX, clock)

    def seconds_to_wait(self, address: str, name: str) -> int:
        """Give how long this name has to wait at this address; 0 for not at all."""
        with self._lock:
            return max(
                self._of_names.seconds_to_wait((address, name)),
                self._of_addresses.seconds_to_wait((address,)),
            )

    def note(self, address: str, name: str) -> None:
        """Count a wrong login."""
        with self._lock:
            self._of_names.note((address, name))
            self._of_addresses.note((address,))

    def forget(self, address: str, name: str) -> None:
        """Forget a name's wrong logins after a right one; the address's go on to count.

        Else a user could guess at others' passwords for ever, logging in in between.
        """
        with self._lock:
            self._of_names.forget((address, name))


class _Counts:
    """Times of the latest wrong logins, by who gave them."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._times: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def seconds_to_wait(self, who: tuple[str, ...]) -> int:
        times = self._times.get(who, deque())
        while times and times[0] <= self._clock() - FAILURE_SECONDS:
            times.popleft()
        if len(times) < self._limit:
            return 0
        return int(times[0] + FAILURE_SECONDS - self._clock()) + 1

    def note(self, who: tuple[str, ...]) -> None:
        self._times.setdefault(who, deque(maxlen=self._limit)).append(self._clock())
        self._times.move_to_end(who)
        while len(self._times) > _REMEMBERED_MAX:
            self._times.popitem(last=False)

    def forget(self, who: tuple[str, ...]) -> None:
        self._times.pop(who, None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
