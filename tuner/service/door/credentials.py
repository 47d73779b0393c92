"""What opens the door: a user's password, the token, or either."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from tuner.service.door.users import User, Users

__all__ = ["Login"]


@dataclass(frozen=True, slots=True)
class Login:
    """What is accepted; None for what is not."""

    users: Users | None
    token: str | None

    def check(self, name: str, password: str) -> User | None:
        """Give who logs in; None if it is wrong. Without a name the password may be the token."""
        if not name and self.is_token(password):
            return self._token_user()
        if self.users is None:
            return None
        return self.users.check(name, password)

    def is_token(self, given: str) -> bool:
        """Say whether this is the token, in a time that tells nothing of it."""
        if self.token is None:
            return False
        return hmac.compare_digest(
            hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(),
            hashlib.sha256(self.token.encode("utf-8", "surrogatepass")).digest(),
        )

    def is_still(self, user: User) -> bool:
        """Say whether the user of a session is in the file as he was when he logged in."""
        if not user.name:
            return self.token is not None
        return self.users is not None and self.users.get(user.name) == user

    def _token_user(self) -> User:
        return User("", "reader", hashlib.sha256(str(self.token).encode("utf-8")).hexdigest())
