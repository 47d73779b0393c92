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
FAILURE_SECONDS = 300
_ADDRESSES_MAX = 10_000


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
    """Makes an address wait that has given `FAILURES_MAX` wrong logins in `FAILURE_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> int:
        """Give how long the address has to wait; 0 for not at all."""
        with self._lock:
            times = self._failures.get(address, deque())
            while times and times[0] <= self._clock() - FAILURE_SECONDS:
                times.popleft()
            if len(times) < FAILURES_MAX:
                return 0
            return int(times[0] + FAILURE_SECONDS - self._clock()) + 1

    def note(self, address: str) -> None:
        """Count a wrong login."""
        with self._lock:
            times = self._failures.setdefault(address, deque(maxlen=FAILURES_MAX))
            times.append(self._clock())
            self._failures.move_to_end(address)
            while len(self._failures) > _ADDRESSES_MAX:
                self._failures.popitem(last=False)

    def forget(self, address: str) -> None:
        """Forget an address's wrong logins, after a right one."""
        with self._lock:
            self._failures.pop(address, None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
