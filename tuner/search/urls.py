"""Storage URLs: which are taken, and how they are shown."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tuner.errors import ConfigError
from tuner.masking import mask_url

__all__ = ["default_url", "mask", "parse_url"]

_FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


def default_url(output: Path) -> str:
    """Give the URL of the storage that stands beside the results."""
    return f"sqlite:///{output / 'tuner.db'}"


def parse_url(url: str) -> URL:
    """Read a storage URL; PostgreSQL is reached by psycopg 3.

    Raises
    ------
    ConfigError
        If it is malformed, of another database, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"--storage must be {_FORMS}; got {mask(url)!r}.") from error
    dialect = parsed.drivername.split("+", 1)[0]
    if dialect == "sqlite":
        if parsed.host:
            raise ConfigError(
                f"--storage: a relative SQLite file has three slashes, sqlite:///{parsed.host}…; "
                f"got {mask(url)!r}."
            )
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(f"--storage must name a file, sqlite:///FILE; got {mask(url)!r}.")
        return parsed.set(drivername="sqlite")
    if dialect in ("postgresql", "postgres"):
        try:
            import psycopg  # noqa: F401 - only asks whether it is there
        except ImportError as error:
            raise ConfigError(
                "--storage postgresql://… needs psycopg 3: pip install 'tuner[postgres]'."
            ) from error
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(f"--storage must be {_FORMS}; got the dialect {dialect!r}.")


def mask(url: str) -> str:
    """Give the URL as a person would write it, its passwords hidden."""
    return mask_url(url).replace("postgresql+psycopg:", "postgresql:", 1)
