"""Who runs a trial, and whether that process still lives."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

__all__ = ["claiming_owner", "current_owner", "is_dead"]

_MACHINE_ID = Path("/etc/machine-id")
_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_GONE = frozenset("ZX")  # ended, but its parent has not asked for it


def current_owner() -> dict[str, Any]:
    """Describe this process: host, machine, boot, space of pids, pid, and when it started.

    A pid alone is not enough: it is given out again after a while and after a restart, and
    containers of one host have their own. Neither is the host's name: two may bear one.
    """
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "boot": _boot(),
        "pids": _pids(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def claiming_owner() -> dict[str, Any]:
    """Describe this process with a token of its own for one claim."""
    return {**current_owner(), "token": uuid.uuid4().hex}


def _machine() -> str:
    """Give what tells this machine from others of its name; "" where it has no such id.

    Not the id itself, which is to stay on the machine (machine-id(5)).
    """
    try:
        found = _MACHINE_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return hashlib.sha256(f"tuner:{found}".encode()).hexdigest()[:16] if found else ""


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _pids() -> str:
    """Give what tells this space of pids from that of another container."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """Give when a process started, None if it has ended.

    In clock ticks since the boot where there is `/proc`, else in seconds since the epoch. Those
    move when the clock is set, so that a living process would seem to be another one.

    Raises
    ------
    PermissionError
        If it lives and nothing more can be known: `/proc` mounted with hidepid=2 has only the
        processes of one's own user.
    """
    try:
        # The name, in parentheses, may hold whatever it likes.
        fields = (_PROC / f"{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return None if fields[0] in _GONE else float(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        if _BOOT_ID.exists():
            _raise_if_hidden(pid)
            return None
    try:
        return float(round(psutil.Process(pid).create_time()))
    except psutil.NoSuchProcess:
        return None


def _raise_if_hidden(pid: int) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    raise PermissionError(f"process {pid} is hidden")


def is_dead(owner: Mapping[str, Any] | None) -> bool:
    """Say whether a trial's owner is known to be gone.

    True for one of an earlier boot of this machine. False for an owner on another host or in
    another container, or of another boot where machines cannot be told apart: of those nothing
    can be known here, and their beats tell.
    """
    if owner is None:
        return True  # killed between the ask and the writing of its name
    here = current_owner()
    if owner.get("host") != here["host"]:
        return False
    if owner.get("boot") != here["boot"]:
        return bool(here["machine"]) and owner.get("machine") == here["machine"]
    if owner.get("pids") != here["pids"]:
        return False
    try:
        return bool(_started(int(owner["pid"])) != owner["started"])
    except (KeyError, ValueError, OverflowError):
        return True
    except (OSError, psutil.AccessDenied):
        return False
