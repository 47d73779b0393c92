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

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def current_owner() -> dict[str, Any]:
    """Describe this process: host, boot, pid, and its start in seconds since the epoch.

    A pid alone is not enough: it is given out again after a while and after a restart.
    """
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pid": os.getpid(),
        "started": round(psutil.Process().create_time(), 1),
    }


def claiming_owner() -> dict[str, Any]:
    """Describe this process with a token of its own for one claim."""
    return {**current_owner(), "token": uuid.uuid4().hex}


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def is_dead(owner: Mapping[str, Any] | None) -> bool:
    """Say whether a trial's owner is known to be gone.

    False for an owner on another host, of which nothing can be known here.
    """
    if owner is None:
        return True  # killed between the ask and the writing of its name
    here = current_owner()
    if owner.get("host") != here["host"]:
        return False
    if owner.get("boot") != here["boot"]:
        return True
    try:
        process = psutil.Process(int(owner["pid"]))
        return bool(abs(process.create_time() - float(owner["started"])) > 1.0)
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return True
    except psutil.AccessDenied:
        return False
