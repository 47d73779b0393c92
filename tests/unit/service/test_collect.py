import pytest

from tests.conftest import make_rows, write_csv
from tuner.config import load_settings
from tuner.corpus import duplicate_key
from tuner.errors import DataError
from tuner.service import read_sources, split_sources

LONG = (
    "这家酒店的位置非常方便离地铁站只有五分钟的路程房间也很干净服务员态度热情下次还会再来入住的强烈推荐给大家"
    * 2
)


def collect(path, **data):
    settings = load_settings(
        overrides=[("data.path", str(path)), *((f"data.{k}", v) for k, v in data.items())]
    )
    return split_sources(read_sources(settings), settings)


def findings(collected):
    return {finding.kind: finding for finding in collected.findings}


def test_planted_faults_are_all_found_and_counted(tmp_path):
    rows = make_rows(100)
    planted = [
        *rows,
        *rows[:7],  # exact copies
        (LONG + "甲", "正面"), (LONG + "乙", "正面"), (LONG + "丙", "正面"),  # near copies
        ("矛盾的文本", "正面"), ("矛盾的文本！", "负面"),  # one text under two labels
        ("", "正面"), ("没有标签", ""),
        ("大小写", " 正面 "),
        ("罕见类别", "其他"),
    ]  # fmt: skip

    found = findings(collect(write_csv(tmp_path / "a.csv", planted)))

    assert {kind: finding.count for kind, finding in found.items()} == {
        "exact_duplicates": 7, "near_duplicates": 2, "conflicting_labels": 2, "empty_text": 1,
        "missing_label": 1, "small_classes": 1,
    }  # fmt: skip
    assert "a.csv, line 112" in found["conflicting_labels"].examples[0]


def test_clean_table_has_no_findings(tmp_path):
    assert collect(write_csv(tmp_path / "a.csv", make_rows(100))).findings == ()


def test_copies_never_straddle_the_split(tmp_path):
    rows = make_rows(60)
    copies = [(f"{text}！", label) for text, label in rows] + rows

    collected = collect(write_csv(tmp_path / "a.csv", rows + copies))

    parts = collected.parts
    sides = [
        {duplicate_key(d.text) for d in part}
        for part in (parts.train, parts.validation, parts.selection, collected.test)
    ]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60


def test_copies_can_be_dropped(tmp_path):
    rows = make_rows(60)
    path = write_csv(tmp_path / "a.csv", rows + rows)

    kept, dropped = collect(path), collect(path, duplicates="drop")

    assert len(kept.parts.train) == 2 * len(dropped.parts.train)


def test_given_validation_and_test_are_honoured_and_selection_comes_from_train(tmp_path):
    rows = make_rows(160)
    data = write_csv(tmp_path / "train.csv", rows[:100])
    validation = write_csv(tmp_path / "dev.csv", rows[100:130])
    test = write_csv(tmp_path / "test.csv", rows[130:])

    collected = collect(data, validation=str(validation), test=str(test))

    assert [d.text for d in collected.parts.validation] == [text for text, _ in rows[100:130]]
    assert [d.text for d in collected.test] == [text for text, _ in rows[130:]]
    # 0.10 of 0.70 that are left to share: 14 or 15 of 100 rows
    assert len(collected.parts.selection) in (14, 15, 16)


def test_class_that_only_the_test_file_has_is_reported(tmp_path):
    rows = make_rows(80)
    test = write_csv(tmp_path / "test.csv", [*rows[60:], ("新的类别", "未知")])

    collected = collect(write_csv(tmp_path / "a.csv", rows[:60]), test=str(test))

    assert findings(collected)["classes_without_train"].count == 1
    assert "未知" in collected.parts.classes


def test_fingerprint_ignores_order_and_sees_every_change(tmp_path):
    rows = make_rows(60)
    first = collect(write_csv(tmp_path / "a.csv", rows)).parts.fingerprint

    assert collect(write_csv(tmp_path / "b.csv", rows[::-1])).parts.fingerprint == first
    changed = [(rows[0][0] + "。", rows[0][1]), *rows[1:]]
    assert collect(write_csv(tmp_path / "c.csv", changed)).parts.fingerprint != first


def test_changed_validation_text_changes_no_vocabulary_entry(tmp_path):
    from tuner.persist import FolderBlobs
    from tuner.pipeline import Pipeline
    from tuner.records import Document, SearchParts

    parts = collect(write_csv(tmp_path / "a.csv", make_rows(60))).parts
    other = tuple(Document("全新的词语", d.label, d.source, d.line) for d in parts.validation)
    changed = SearchParts(parts.train, other, parts.selection, parts.classes, "x" * 64, 9)

    vocabularies = [
        Pipeline(found, FolderBlobs(tmp_path / "cache"))
        .prepare(load_settings())
        .encoder.vocabulary
        for found in (parts, changed)
    ]

    assert vocabularies[0] == vocabularies[1]


def test_too_few_rows_for_a_part_are_named(tmp_path):
    rows = make_rows(60)
    test = write_csv(tmp_path / "test.csv", rows[:1])

    with pytest.raises(DataError, match="the test part must have at least 2 rows"):
        collect(write_csv(tmp_path / "a.csv", rows[1:]), test=str(test))
