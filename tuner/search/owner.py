"""Who runs a trial, and whether that process still lives."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

__all__ = ["claiming_owner", "current_owner", "is_dead"]

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_GONE = frozenset("ZX")  # ended, but its parent has not asked for it


def current_owner() -> dict[str, Any]:
    """Describe this process: host, boot, space of pids, pid, and when it started.

    A pid alone is not enough: it is given out again after a while and after a restart, and
    containers of one host have their own.
    """
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pids": _pids(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def claiming_owner() -> dict[str, Any]:
    """Describe this process with a token of its own for one claim."""
    return {**current_owner(), "token": uuid.uuid4().hex}


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
    """
    try:
        # The name, in parentheses, may hold whatever it likes.
        fields = (_PROC / f"{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return None if fields[0] in _GONE else float(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        if _BOOT_ID.exists():
            return None
    try:
        return float(round(psutil.Process(pid).create_time()))
    except psutil.NoSuchProcess:
        return None


def is_dead(owner: Mapping[str, Any] | None) -> bool:
    """Say whether a trial's owner is known to be gone.

    False for an owner on another host, in another container, or of another boot: of those nothing
    can be known here, since hosts may bear the same name. Their beats tell.
    """
    if owner is None:
        return True  # killed between the ask and the writing of its name
    here = current_owner()
    if any(owner.get(name) != here[name] for name in ("host", "boot", "pids")):
        return False
    try:
        return bool(_started(int(owner["pid"])) != owner["started"])
    except (KeyError, ValueError):
        return True
    except (OSError, psutil.AccessDenied):
        return False
