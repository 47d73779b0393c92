"""Read labelled rows by a SQL query over a SQLAlchemy URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.corpus.row import Row, double_names
from tuner.errors import ConfigError, DataError
from tuner.masking import mask_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["mask_password", "read_query"]

# A query reads: whatever else stands in it, the database refuses.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only=ON",
    # Of the session, not of one transaction, which a `commit` in the query would end.
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
_CONNECT_SECONDS = 10


def mask_password(url: str) -> str:
    """Give the URL with its passwords hidden.

    >>> mask_password("postgresql://ann:secret@db/shop")
    'postgresql://ann:***@db/shop'
    """
    return mask_url(url)


def read_query(url: str, query: str | None) -> tuple[list[str], list[Row]]:
    """Run a query and give its column names and rows.

    SQLite and PostgreSQL are told to refuse whatever would change them.

    Raises
    ------
    ConfigError
        If the URL is malformed, its driver is not installed, or there is no query.
    DataError
        If the database is not there, does not answer or refuses the query, or the query gives two
        columns of one name.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    shown = mask_password(url)
    if not query:
        raise ConfigError(f"data.query must hold a SQL query when --data is a URL ({shown}).")
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, connect_args=_connect_arguments(parsed))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise ConfigError(f"--data must be a SQLAlchemy URL; {shown} is not usable.") from error
    _require_file(parsed, shown)
    try:
        with engine.connect() as connection:
            if parsed.get_backend_name() in _READ_ONLY:
                connection.exec_driver_sql(_READ_ONLY[parsed.get_backend_name()])
                connection.commit()  # takes hold with the next transaction
            result = connection.execute(text(query))
            columns = [str(name) for name in result.keys()]  # noqa: SIM118 - not a dict
            _refuse_double_names(shown, columns)
            rows = [
                Row(dict(zip(columns, values, strict=True)), number)
                for number, values in enumerate(result, start=1)
            ]
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"{shown}: the query failed: {reason}.") from error
    finally:
        engine.dispose()
    if not rows:
        raise DataError(f"{shown}: the query gives no rows.")
    return columns, rows


def _refuse_double_names(shown: str, columns: list[str]) -> None:
    twice = double_names(columns)
    if twice:
        raise DataError(
            f"{shown}: the query gives two columns of the name {twice[0]!r}; each must have a "
            "name of its own: rename one with AS."
        )


def _connect_arguments(url: URL) -> dict[str, Any]:
    if "psycopg" in url.drivername and "connect_timeout" not in url.query:
        return {"connect_timeout": _CONNECT_SECONDS}
    return {}


def _require_file(url: URL, shown: str) -> None:
    """Refuse a SQLite file that is not there: connecting would create it."""
    file = url.database
    if url.get_backend_name() != "sqlite" or not file or file.startswith((":memory:", "file:")):
        return
    if not Path(file).exists():
        raise DataError(f"{shown}: no such file: {file}.")
