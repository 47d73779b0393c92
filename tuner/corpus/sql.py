"""Read labelled rows by a SQL query over a SQLAlchemy URL."""

from __future__ import annotations

from tuner.corpus.row import Row
from tuner.errors import ConfigError, DataError

__all__ = ["mask_password", "read_query"]


def mask_password(url: str) -> str:
    """Give the URL with its password hidden.

    >>> mask_password("postgresql://ann:secret@db/shop")
    'postgresql://ann:***@db/shop'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.split('://', 1)[0]}://…"


def read_query(url: str, query: str | None) -> tuple[list[str], list[Row]]:
    """Run a query and give its column names and rows.

    Raises
    ------
    ConfigError
        If the URL is malformed, its driver is not installed, or there is no query.
    DataError
        If the database does not answer or refuses the query.
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
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise ConfigError(f"--data must be a SQLAlchemy URL; {shown} is not usable.") from error
    try:
        with engine.connect() as connection:
            result = connection.execute(text(query))
            columns = [str(name) for name in result.keys()]  # noqa: SIM118 - not a dict
            rows = [
                Row(dict(zip(columns, values, strict=True)), number)
                for number, values in enumerate(result, start=1)
            ]
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DataError(f"{shown}: the query failed: {reason}.") from error
    finally:
        engine.dispose()
    if not rows:
        raise DataError(f"{shown}: the query gives no rows.")
    return columns, rows
