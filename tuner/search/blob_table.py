"""Blobs in the study's own database, for workers that share no folder."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.exc import IntegrityError, ProgrammingError

from tuner.search.enduring import EnduringStorage
from tuner.search.sqlite_file import reading

__all__ = ["TableBlobs", "drop_orphans", "has_blobs"]

TABLE = "tuner_blobs"
_blobs = Table(
    TABLE,
    MetaData(),
    Column("study_id", Integer, primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)


class TableBlobs:
    """One row a key, with the SHA-256 of its content.

    A row whose content does not fit its digest counts as absent, so that it is made anew.

    Parameters
    ----------
    storage
        Its operations wait for a database that is away.
    study_id
        Keys are a study's own.
    """

    def __init__(self, storage: EnduringStorage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        storage.enduring(self._create_table)

    def put(self, key: str, content: bytes) -> None:
        """Store a blob in one transaction; an existing one is replaced."""
        row = {
            "study_id": self._study_id,
            "key": key,
            "digest": hashlib.sha256(content).hexdigest(),
            "content": content,
        }

        def write() -> None:
            with self._storage.engine.begin() as connection:
                connection.execute(_blobs.delete().where(self._is(key)))
                connection.execute(_blobs.insert().values(**row))

        try:
            self._storage.enduring(write)
        except IntegrityError:
            self._storage.enduring(write)  # another process wrote the same key in between

    def get(self, key: str) -> bytes | None:
        """Read a blob; None where there is none or its checksum fails."""
        query = sqlalchemy.select(_blobs.c.digest, _blobs.c.content).where(self._is(key))
        row = self._read(query)
        if not row or hashlib.sha256(row[0].content).hexdigest() != row[0].digest:
            return None
        return bytes(row[0].content)

    def has(self, key: str) -> bool:
        """Say whether there is a blob, whole or damaged, without reading it."""
        return bool(self._read(sqlalchemy.select(_blobs.c.key).where(self._is(key))))

    def delete(self, key: str) -> None:
        """Remove a blob if it is there."""

        def remove() -> None:
            with self._storage.engine.begin() as connection:
                connection.execute(_blobs.delete().where(self._is(key)))

        self._storage.enduring(remove)

    def keys(self) -> list[str]:
        """Give the keys there are, sorted."""
        query = sqlalchemy.select(_blobs.c.key).where(_blobs.c.study_id == self._study_id)
        return sorted(row.key for row in self._read(query))

    def _is(self, key: str) -> Any:
        return (_blobs.c.study_id == self._study_id) & (_blobs.c.key == key)

    def _read(self, query: Any) -> list[Any]:
        def read() -> list[Any]:
            with reading(), self._storage.engine.begin() as connection:
                return list(connection.execute(query))

        found: list[Any] = self._storage.enduring(read)
        return found

    def _create_table(self) -> None:
        try:
            _blobs.metadata.create_all(self._storage.engine)
        except (ProgrammingError, IntegrityError):
            # Another process made it between the look and the making.
            _blobs.metadata.create_all(self._storage.engine)


def has_blobs(storage: EnduringStorage) -> bool:
    """Say whether the database has the table at all."""
    found: bool = storage.enduring(lambda: sqlalchemy.inspect(storage.engine).has_table(TABLE))
    return found


def drop_orphans(storage: EnduringStorage, *, fix: bool) -> int:
    """Count the blobs of studies that are no more, and remove them where `fix` says so."""
    studies = [study._study_id for study in storage.get_all_studies()]
    orphaned = _blobs.c.study_id.not_in(studies)

    def look() -> int:
        with storage.engine.begin() as connection:
            query = sqlalchemy.select(sqlalchemy.func.count()).select_from(_blobs)
            count = int(connection.execute(query.where(orphaned)).scalar_one())
            if fix and count:
                connection.execute(_blobs.delete().where(orphaned))
            return count

    n_orphans: int = storage.enduring(look)
    return n_orphans
