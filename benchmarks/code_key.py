"""What a measurement was made with, in twelve digits: tuner's code and the script's own."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tuner.service.versions import code_identity

__all__ = ["code_key", "options_key"]

HERE = Path(__file__).resolve().parent


def code_key() -> str:
    """Digest tuner's source, the packages that decide its numbers, and this folder's code in use.

    A row of another key was measured with other code, so that it does not stand for this one's.
    """
    files = {
        Path(module.__file__).resolve()
        for module in list(sys.modules.values())
        if getattr(module, "__file__", None)
    }
    whole = hashlib.sha256(json.dumps(code_identity(), sort_keys=True).encode())
    for path in sorted(file for file in files if file.parent == HERE):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:12]


def options_key(**options: Any) -> str:
    """Digest options in eight digits, for the name of a folder or study that they decide."""
    text = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
