"""Make `reviews.csv.gz`: 1,000 rows of the quick start's reviews, half of each label.

python studies/frozen_depth/collect.py
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path

N_A_LABEL = 500
SOURCE = Path(__file__).parent.parent / "quickstart" / "reviews.csv.gz"


def main() -> None:
    """Draw the rows with a fixed seed and write them beside this script."""
    with gzip.open(SOURCE, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    chosen = [
        row
        for label in sorted({row["sentiment"] for row in rows})
        for row in [row for row in rows if row["sentiment"] == label][:N_A_LABEL]
    ]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["content", "sentiment"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(chosen)
    target = Path(__file__).with_name("reviews.csv.gz")
    target.write_bytes(gzip.compress(buffer.getvalue().encode("utf-8"), 9, mtime=0))
    print(f"{len(chosen)} rows in {target}")


if __name__ == "__main__":
    main()
