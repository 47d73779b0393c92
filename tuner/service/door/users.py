"""Who may enter: a file with one user a line, and passwords that it does not hold."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from tuner.errors import ConfigError
from tuner.persist import disk_errors, write_bytes

__all__ = ["ROLES", "Role", "User", "Users", "add_user", "read_users", "remove_user"]

_log = logging.getLogger(__name__)

Role = Literal["reader", "writer"]
ROLES: tuple[Role, ...] = ("reader", "writer")

PASSWORD_LENGTH_MIN = 12
# OWASP Password Storage Cheat Sheet, scrypt: 2**15, r = 8, p = 3 is one of its equal settings,
# with 32 MiB a login. They are written beside each hash, so that they can grow.
_N, _R, _P = 2**15, 8, 3
_MEMORY_MAX_BYTES = 256 * 2**20
_HEAD = "# tuner dashboard users: name, role, scrypt with its parameters, salt, hash\n"
_NAME = re.compile(r"[\w.@+-]{1,64}")
# One login is worked out at a time, so that many at once take neither memory nor all cores.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class User:
    """One line of the file. `password` is the hash with all that is needed to compare."""

    name: str
    role: Role
    password: str


class Users:
    """The file as it is now: who is removed from it is out at once.

    Parameters
    ----------
    path
        Read at the start, and again whenever it changes.

    Raises
    ------
    ConfigError
        If it cannot be used at the start. If it is damaged later, nobody is known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._users = read_users(path)
        if not self._users:
            raise ConfigError(
                f"--users: {path} holds nobody; `tuner dashboard users add NAME --users {path}` "
                "adds a user."
            )
        self._seen = _version(path)
        self._lock = threading.Lock()

    def get(self, name: str) -> User | None:
        """Give a user by name; None if the file has no such line now."""
        with self._lock:
            version = _version(self._path)
            if version != self._seen:
                self._seen = version
                try:
                    self._users = read_users(self._path)
                except ConfigError as error:
                    _log.error("nobody can log in: %s", error)
                    self._users = {}
            return self._users.get(name)

    def check(self, name: str, password: str) -> User | None:
        """Give the user if the password is theirs; it takes as long for a name not there."""
        user = self.get(name)
        matches = _matches(_NOBODY if user is None else user.password, password)
        return user if matches else None


def read_users(path: Path) -> dict[str, User]:
    """Read a users file.

    Raises
    ------
    ConfigError
        If it is missing, can be written by everybody, or a line is malformed; names the line.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & 0o002:
            raise ConfigError(f"--users: {path} must not be writable by everybody (chmod o-w).")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--users: {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--users: {path} must be UTF-8 text.") from error
    users = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            user = _parse(line.strip(), f"{path}, line {number}")
            users[user.name] = user
    return users


def add_user(path: Path, name: str, password: str, role: Role) -> None:
    """Add a user, or replace the one of that name; the file is for its owner alone.

    Raises
    ------
    ConfigError
        If the name or the password breaks its rule.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"NAME must be 1 to 64 letters, digits or . @ + - _, so that a line can hold it; "
            f"got {name!r}."
        )
    if len(password) < PASSWORD_LENGTH_MIN:
        raise ConfigError(
            f"the password must have at least {PASSWORD_LENGTH_MIN} characters; "
            f"got {len(password)}."
        )
    with _locked(path):
        users = read_users(path) if path.exists() else {}
        users[name] = User(name, role, _hashed(password))
        _write(path, users)


def remove_user(path: Path, name: str) -> None:
    """Remove a user; their sessions end with it.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    with _locked(path):
        users = read_users(path)
        if name not in users:
            raise ConfigError(f"NAME must be in {path}; {name!r} is not.")
        del users[name]
        _write(path, users)


def _locked(path: Path) -> FileLock:
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def _write(path: Path, users: dict[str, User]) -> None:
    lines = [f"{user.name}:{user.role}:{user.password}\n" for user in users.values()]
    with disk_errors(path):
        write_bytes(path, (_HEAD + "".join(lines)).encode("utf-8"), mode=0o600)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _parse(line: str, where: str) -> User:
    name, _, rest = line.partition(":")
    role, _, password = rest.partition(":")
    if not _NAME.fullmatch(name) or role not in ROLES or not _is_hash(password):
        raise ConfigError(
            f"--users: {where} must be NAME:reader or writer:scrypt:…, as "
            "`tuner dashboard users add` writes it."
        )
    return User(name, "writer" if role == "writer" else "reader", password)


def _is_hash(stored: str) -> bool:
    try:
        kind, n, r, p, salt, digest = stored.split(":")
        cost = 128 * int(n) * int(r)
        return (
            kind == "scrypt"
            and int(n).bit_count() == 1
            and int(n) > 1
            and 0 < cost < _MEMORY_MAX_BYTES
            and 0 < int(p) <= 16
            and len(base64.b64decode(salt, validate=True)) >= 16
            and len(base64.b64decode(digest, validate=True)) >= 32
        )
    except (ValueError, binascii.Error):
        return False


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _N, _R, _P, 32)
    encoded = ":".join(base64.b64encode(part).decode("ascii") for part in (salt, digest))
    return f"scrypt:{_N}:{_R}:{_P}:{encoded}"


def _matches(stored: str, password: str) -> bool:
    _, n, r, p, salt, digest = stored.split(":")
    wanted = base64.b64decode(digest)
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p), len(wanted))
    return hmac.compare_digest(found, wanted)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    # One spelling for what input methods write in two ways (RFC 8265, section 4.2).
    content = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    with _one_at_a_time:
        return hashlib.scrypt(
            content, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=2 * _MEMORY_MAX_BYTES
        )


# Costs as much as a user's and matches nothing: its digest is random.
_NOBODY = ":".join(
    [
        "scrypt",
        str(_N),
        str(_R),
        str(_P),
        base64.b64encode(secrets.token_bytes(16)).decode("ascii"),
        base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
    ]
)
