import pytest

from tests.conftest import make_rows, write_csv
from tuner.config import load_settings
from tuner.corpus import duplicate_key
from tuner.errors import ConfigError, DataError
from tuner.service import read_sources, split_sources, store_parts

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


def test_classes_that_only_the_test_file_has_are_named_and_the_rest_counted(tmp_path):
    rows = make_rows(80)
    unknown = [(f"新的类别，第{number}个", f"未知{number}") for number in range(7)]
    test = write_csv(tmp_path / "test.csv", [*rows[60:], *unknown])

    collected = collect(write_csv(tmp_path / "a.csv", rows[:60]), test=str(test))

    finding = findings(collected)["classes_without_train"]
    assert finding.count == 7
    assert finding.message.endswith("'未知0', '未知1', '未知2', '未知3', '未知4' and 2 more")


@pytest.mark.parametrize("part", ["validation", "test"])
def test_class_that_a_given_file_lacks_is_reported_with_its_train_rows(tmp_path, part):
    rows = make_rows(100)
    given = write_csv(tmp_path / "given.csv", [row for row in rows[60:] if row[1] == "正面"])

    collected = collect(write_csv(tmp_path / "a.csv", rows[:60]), **{part: str(given)})

    finding = findings(collected)[f"classes_without_{part}"]
    n_train = sum(document.label == "负面" for document in collected.parts.train)
    assert (finding.severity, finding.count) == ("warning", n_train)
    assert "'负面'" in finding.message


def test_given_file_with_every_class_of_train_is_no_finding(tmp_path):
    rows = make_rows(100)
    test = write_csv(tmp_path / "test.csv", rows[60:])

    assert "classes_without_test" not in findings(
        collect(write_csv(tmp_path / "a.csv", rows[:60]), test=str(test))
    )


def test_fingerprint_ignores_order_and_sees_every_change(tmp_path):
    rows = make_rows(60)
    first = collect(write_csv(tmp_path / "a.csv", rows)).parts.fingerprint

    assert collect(write_csv(tmp_path / "b.csv", rows[::-1])).parts.fingerprint == first
    changed = [(rows[0][0] + "。", rows[0][1]), *rows[1:]]
    assert collect(write_csv(tmp_path / "c.csv", changed)).parts.fingerprint != first


def test_changed_validation_text_changes_no_vocabulary_entry(tmp_path):
    from tuner.persist import Cache
    from tuner.pipeline import Pipeline
    from tuner.records import Document, SearchParts

    parts = collect(write_csv(tmp_path / "a.csv", make_rows(60))).parts
    other = tuple(Document("全新的词语", d.label, d.source, d.line) for d in parts.validation)
    changed = SearchParts(parts.train, other, parts.selection, parts.classes, "x" * 64, 9)

    vocabularies = [
        Pipeline(found, Cache(tmp_path / "cache")).prepare(load_settings()).encoder.vocabulary
        for found in (parts, changed)
    ]

    assert vocabularies[0] == vocabularies[1]


def test_too_few_rows_for_a_part_are_named(tmp_path):
    rows = make_rows(60)
    test = write_csv(tmp_path / "test.csv", rows[:1])

    with pytest.raises(DataError, match=r"test\.csv, line 2: the test part .* has 1\.$") as caught:
        collect(write_csv(tmp_path / "a.csv", rows[1:]), test=str(test))

    assert "More data" not in str(caught.value)


def test_given_validation_that_the_test_file_swallows_is_named(tmp_path):
    rows = make_rows(60)
    given = {
        "validation": str(write_csv(tmp_path / "dev.csv", rows[:10])),
        "test": str(write_csv(tmp_path / "test.csv", rows[:10])),
    }

    with pytest.raises(DataError, match=r"dev\.csv, line 2: .* 0 besides 10 whose text"):
        collect(write_csv(tmp_path / "a.csv", rows[10:]), **given)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_given_part_without_a_label_of_train_is_refused(tmp_path, part):
    rows = make_rows(80)
    other = [(text, {"正面": "pos", "负面": "neg"}[label]) for text, label in rows[60:]]
    given = {part: str(write_csv(tmp_path / "given.csv", other))}

    with pytest.raises(DataError) as caught:
        collect(write_csv(tmp_path / "a.csv", rows[:60]), **given)

    assert f"given.csv, line 2: no label of the given {part} file occurs in train" in str(
        caught.value
    )
    assert "it has 'neg', 'pos', train has '正面', '负面'." in str(caught.value)


def test_numbers_as_pandas_writes_them_are_the_same_classes_in_every_file(tmp_path):
    rows = [(text, {"正面": "1", "负面": "0"}[label]) for text, label in make_rows(80)]
    test = write_csv(tmp_path / "test.csv", [(text, f"{label}.0") for text, label in rows[60:]])

    collected = collect(write_csv(tmp_path / "a.csv", rows[:60]), test=str(test))

    assert collected.parts.classes == ("0", "1")
    assert findings(collected)["label_variants"].count == 20


@pytest.fixture
def split_folder(tmp_path):
    path = write_csv(tmp_path / "a.csv", make_rows(60))
    settings = load_settings(overrides=[("data.path", str(path))])
    store_parts(tmp_path / "parts", split_sources(read_sources(settings), settings), settings)
    return tmp_path / "parts"


@pytest.mark.parametrize("part", ["validation", "test"])
def test_file_given_beside_a_split_folder_is_refused(tmp_path, split_folder, part):
    with pytest.raises(ConfigError, match=rf"data\.{part} must be left out"):
        collect(split_folder, **{part: str(tmp_path / "a.csv")})


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"origin": 1}'])
def test_split_folder_with_a_damaged_manifest_is_refused(split_folder, content):
    (split_folder / "data" / "manifest.json").write_text(content)

    with pytest.raises(DataError, match=r"data/manifest\.json: must be the manifest"):
        collect(split_folder)
