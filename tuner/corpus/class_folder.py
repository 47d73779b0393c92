"""Read a folder that has one subfolder a class, one text a file."""

from __future__ import annotations

from pathlib import Path

from tuner.corpus.encoding import read_text
from tuner.corpus.row import Row
from tuner.errors import DataError
from tuner.records import Finding

__all__ = ["read_class_folder"]

N_EXAMPLES = 3


def read_class_folder(folder: Path) -> tuple[list[Row], tuple[Finding, ...]]:
    """Give a row for every file, and a finding of the kind "empty_class" where a class has none.

    Hidden files and folders are not read.

    Raises
    ------
    DataError
        If there is no subfolder or no file, or a file is no text.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    if not classes:
        raise DataError(
            f"{folder}: a folder must have one subfolder a class, with text files in it."
        )
    files = {class_folder: _visible_files(class_folder) for class_folder in classes}
    if not any(files.values()):
        raise DataError(f"{folder}: the class folders hold no files.")
    rows = [
        Row({"text": read_text(path), "label": class_folder.name}, 1, str(path))
        for class_folder, found in files.items()
        for path in found
    ]
    empty = [class_folder for class_folder, found in files.items() if not found]
    if not empty:
        return rows, ()
    names = ", ".join(repr(path.name) for path in empty[:N_EXAMPLES])
    finding = Finding(
        "empty_class",
        "warning",
        len(empty),
        f"class folders without a file, which are no class then: {names}"
        + ("…" if len(empty) > N_EXAMPLES else ""),
        tuple(map(str, empty[:N_EXAMPLES])),
    )
    return rows, (finding,)


def _visible_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
