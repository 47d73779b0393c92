"""From the shared options to resolved settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tuner.cli.options import overrides_of
from tuner.config import Settings, load_settings

__all__ = ["settings_from"]

QUICK_START = "quickstart"


def settings_from(
    *, data: str | None, study: str | None, flags: dict[str, Any] | None = None, **options: Any
) -> Settings:
    """Resolve the settings: the quick-start study where neither study nor data is named.

    A table without a study gives the study its file's name.
    """
    named = dict(flags or {})
    if study is None and data is None:
        study = QUICK_START
    elif study is None and data is not None:
        stem = "table" if "://" in data else Path(data.rstrip("/")).name.split(".")[0]
        named["study.name"] = re.sub(r"[^\w\-]+", "-", stem).strip("-")[:100] or "table"
    return load_settings(study, overrides=overrides_of(data=data, flags=named, **options))
