"""Word vectors from every format, whole and broken."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from tuner.errors import DataError
from tuner.features import Encoded, read_vectors, vectors_width
from tuner.features.subwords import SUBWORD

WORDS = {"[PAD]": 0, "[UNK]": 1, "好": 2, "york": 3, "差": 4, "好\x1f差": 5}
TRAIN = Encoded(np.array([2, 5, 4, 2], np.int32), np.array([3, 1], np.int32))
VALUES = {"好": [1.0, 2.0], "york": [0.5, -0.5], "另": [9.0, 9.0]}


def text(path, *, header):
    lines = [f"{len(VALUES)} 2"] if header else []
    lines += [f"{word} {a} {b}" for word, (a, b) in VALUES.items()]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def binary(path, *, line_ends):
    content = f"{len(VALUES)} 2\n".encode()
    for word, numbers in VALUES.items():
        content += word.encode() + b" " + struct.pack("<2f", *numbers)
        content += b"\n" if line_ends else b""
    path.write_bytes(content)
    return path


def npz(path, **arrays):
    whole = {"words": np.array(list(VALUES)), "vectors": np.array(list(VALUES.values()))}
    np.savez(path, **(arrays or whole))
    return path


MAKERS = {
    "text": lambda folder: text(folder / "a.vec", header=True),
    "text without sizes": lambda folder: text(folder / "a.txt.gz", header=False),
    "binary": lambda folder: binary(folder / "a.bin", line_ends=True),
    "binary without line ends": lambda folder: binary(folder / "a.bin", line_ends=False),
    "npz": lambda folder: npz(folder / "a.npz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_format_gives_the_same_rows_and_coverage(tmp_path, kind):
    path = MAKERS[kind](tmp_path)

    start, coverage = read_vectors(path, WORDS).start(WORDS, TRAIN)

    rows = dict(zip(start.ids.tolist(), start.values.tolist(), strict=True))
    assert rows == {WORDS[word]: VALUES[word] for word in ("好", "york")}
    assert start.values.dtype == np.float32
    assert vectors_width(path) == 2
    assert coverage.n_words == 3  # 好, 差, york; no special entry and no pair


def test_word_of_a_text_file_may_have_blanks(tmp_path):
    (tmp_path / "a.vec").write_text("2 2\nnew york 0.5 1.5\n差 1 2\n", encoding="utf-8")

    vectors = read_vectors(tmp_path / "a.vec", {"new york"})
    start, _ = vectors.start({**WORDS, "new york": 6}, TRAIN)

    assert start.values.tolist() == [[0.5, 1.5]]


def test_coverage_counts_the_tokens_of_train_without_pairs(tmp_path):
    vectors = read_vectors(npz(tmp_path / "a.npz"), {"好", "差"})

    _, coverage = vectors.start(WORDS, TRAIN)

    # Tokens 好 差 | 好, and a pair that counts for nothing.
    assert (coverage.n_found, coverage.token_share) == (1, pytest.approx(2 / 3))


def test_coverage_counts_no_pieces_of_words(tmp_path):
    vectors = read_vectors(npz(tmp_path / "a.npz"), {"好", "差"})
    with_pieces = {**WORDS, f"{SUBWORD} yo": 6, f"{SUBWORD}ork": 7}
    train = Encoded(np.array([2, 5, 4, 2, 6, 7, 6], np.int32), np.array([3, 4], np.int32))

    _, coverage = vectors.start(with_pieces, train)

    assert (coverage.n_words, coverage.token_share) == (3, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.vec", b"", "none of the words"),
        ("a.vec", "2 2\n好 1.0 2.0\n差 1.0\n".encode(), "line 3: must have 2 numbers"),
        ("a.vec", "2 2\n好 1.0 zwei\n".encode(), "line 2: must have 2 numbers behind the word"),
        ("a.vec", "好 1.0 nan\n".encode(), "'好' must have finite numbers"),
        ("a.vec", b"word\n", "line 1: must be a word and its numbers"),
        ("a.vec", "3 2\n好 1 2\n差 1 2\n".encode(), "ends after 2 of the 3 words"),
        ("a.vec.gz", b"no archive", "cannot be read"),
        ("a.bin", b"some text\n", "must begin with the number of words"),
        ("a.bin", "2 2\n好 ".encode() + b"\0\0", "ends within vector 1 of 2"),
        ("a.bin", b"2 99999999999999\nword 0000", "cannot have 99,999,999,999,999 numbers"),
        ("a.bin", b"2 0\nword 0000", "cannot have 0 numbers"),
        ("a.npz", b"PK no archive", "not an .npz file"),
    ],
)
def test_broken_file_is_one_line_that_names_the_place(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=words) as caught:
        read_vectors(path, {"好", "差"})

    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"embeddings": np.ones((2, 2))},
            "must hold the arrays words and vectors; got embeddings",
        ),
        ({"words": np.array(["a"]), "vectors": np.ones((2, 2))}, "1 words, but 2 vectors"),
        ({"words": np.array([1, 2]), "vectors": np.ones((2, 2))}, "words must be strings"),
        ({"words": np.array(["a"]), "vectors": np.ones((1, 2), complex)}, "vectors numbers"),
        ({"words": np.array(["a"]), "vectors": np.array([["b", "c"]])}, "vectors numbers"),
        ({"words": np.array(["a", "b"], object), "vectors": np.ones((2, 2))}, "not an .npz file"),
    ],
)
def test_npz_with_other_arrays_is_refused(tmp_path, arrays, words):
    with pytest.raises(DataError, match=words):
        read_vectors(npz(tmp_path / "a.npz", **arrays), {"a"})


def test_one_array_under_the_name_of_an_archive_is_refused(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.ones((2, 2)))

    with pytest.raises(DataError, match=r"a\.npz: must hold the arrays words and vectors"):
        vectors_width(tmp_path / "a.npz")


def test_byte_order_mark_of_a_text_file_is_no_part_of_its_first_line(tmp_path):
    path = tmp_path / "a.vec"
    path.write_text("1 2\n好 1 2\n", encoding="utf-8-sig")

    assert vectors_width(path) == 2
    assert read_vectors(path, {"好"}).start(WORDS, TRAIN)[0].values.tolist() == [[1.0, 2.0]]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.vec: no such file"):
        vectors_width(tmp_path / "a.vec")
