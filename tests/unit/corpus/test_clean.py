from tuner.corpus import drop_conflicts, drop_copies, excerpt, read_documents, unify_labels
from tuner.corpus.row import Row
from tuner.corpus.tables import Table
from tuner.records import Document


def doc(text, label, line=1):
    return Document(text, label, "a.csv", line)


def test_labels_that_differ_by_case_or_blanks_take_the_commonest_spelling():
    documents = [doc("a", "Good"), doc("b", "good"), doc("c", "good"), doc("d", "bad")]

    unified, (finding,) = unify_labels(documents, merge=True)

    assert [d.label for d in unified] == ["good", "good", "good", "bad"]
    assert finding.count == 1
    assert "'Good' = 'good'" in finding.message


def test_label_variants_are_only_reported_when_asked():
    documents = [doc("a", "Good"), doc("b", "good")]

    kept, (finding,) = unify_labels(documents, merge=False)

    assert kept == documents
    assert "kept apart" in finding.message


def test_every_copy_of_a_text_under_two_labels_is_left_out():
    documents = [
        doc("很好!", "a", 2),
        doc("很好", "b", 3),
        doc("很 好", "a", 4),
        doc("差", "b", 5),
    ]

    kept, (finding,) = drop_conflicts(documents)

    assert [d.text for d in kept] == ["差"]
    assert (finding.kind, finding.count) == ("conflicting_labels", 3)
    assert "line 2" in finding.examples[0]


def test_first_copy_is_kept():
    assert [d.text for d in drop_copies([doc("A b", "x"), doc("ab!", "x"), doc("c", "x")])] == [
        "A b",
        "c",
    ]


def test_whole_number_written_with_a_point_is_a_spelling_of_the_number():
    documents = [doc("a", "1.0"), doc("b", "1"), doc("c", "1"), doc("d", "-2.00"), doc("e", "1.5")]

    unified, (finding,) = unify_labels(documents, merge=True)

    assert [d.label for d in unified] == ["1", "1", "1", "-2.00", "1.5"]
    assert "'1' = '1.0'" in finding.message


def test_invisible_characters_make_no_class_and_no_text_of_their_own():
    cells = [
        ("很好", "正面"),
        ("不错", "正面\u200b"),
        ("很差", "\ufeff 负面"),
        ("\u200b", "负面"),
        ("一般", "\u200b"),
        ("一家", "👨\u200d👩\u200d👧"),
    ]
    rows = tuple(
        Row({"text": text, "label": label}, n) for n, (text, label) in enumerate(cells, 2)
    )

    documents, findings = read_documents(Table("a.csv", ("text",), "label", rows))

    assert [d.label for d in documents] == ["正面", "正面", "负面", "👨\u200d👩\u200d👧"]
    assert {f.kind: f.count for f in findings} == {"empty_text": 1, "missing_label": 1}


def test_labels_that_differ_by_the_picture_of_an_emoji_are_one():
    documents = [doc("a", "❤\ufe0f"), doc("b", "❤\ufe0f"), doc("c", "❤")]

    unified, (finding,) = unify_labels(documents, merge=True)

    assert [d.label for d in unified] == ["❤\ufe0f"] * 3
    assert finding.kind == "label_variants"


def test_excerpt_shows_a_label_escaped():
    assert "\x1b" not in excerpt(doc("a", "\x1b[31mred\n"))
    assert r"'\x1b[31mred\n'" in excerpt(doc("a", "\x1b[31mred\n"))
