from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import environment
from tuner.errors import StorageError
from tuner.persist import Cache


def put(**arrays):
    def make(writer):
        for name, array in arrays.items():
            writer.put(name, np.asarray(array))

    return make


def never(writer):
    raise AssertionError("it is there already")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def test_entry_is_made_once_and_read_by_memory_map(cache):
    cache.obtain("segments", "k", put(ids=np.arange(5, dtype=np.uint16), none=np.zeros((0, 3))))

    arrays = cache.obtain("segments", "k", never)

    assert arrays["ids"].tolist() == [0, 1, 2, 3, 4]
    assert arrays["ids"].dtype == np.uint16
    assert arrays["none"].shape == (0, 3)
    assert isinstance(arrays["ids"].base, np.memmap)
    assert not arrays["ids"].flags.writeable
    assert cache.counts == {("segments", "made"): 1, ("segments", "found"): 1}


def test_array_is_filled_piece_by_piece_on_disk(cache):
    def make(writer):
        activations = writer.create("activations", (4, 2, 3), np.float16)
        activations[1:3] = 1.5
        writer.put("rows", np.arange(4))

    arrays = cache.obtain("prefix", "k", make)

    assert arrays["activations"].sum(axis=(1, 2)).tolist() == [0, 9, 9, 0]
    assert arrays["rows"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("place", [3, 20, 70, -1])
def test_damaged_entry_is_told_and_made_anew(cache, caplog, place):
    cache.obtain("segments", "k", put(ids=[1, 2, 3]))
    (entry,) = cache.entries()
    content = bytearray(entry.path.read_bytes())
    content[place] ^= 1
    entry.path.write_bytes(content)

    assert cache.verify() == [cache.entries()[0]]
    arrays = cache.obtain("segments", "k", put(ids=[1, 2, 3]))

    assert arrays["ids"].tolist() == [1, 2, 3]
    assert "k.arrays" in caplog.text
    assert "made anew" in caplog.text
    assert cache.verify() == []


def test_entry_that_is_damaged_between_two_uses_is_found(cache):
    cache.obtain("segments", "k", put(ids=[1, 2, 3]))
    cache.obtain("segments", "k", never)
    (entry,) = cache.entries()
    content = bytearray(entry.path.read_bytes())
    content[70] ^= 1
    time.sleep(0.02)  # a file system's clock ticks in milliseconds
    entry.path.write_bytes(content)

    assert cache.open("segments", "k") is None


def test_unchanged_entry_is_read_whole_once(cache, monkeypatch):
    cache.obtain("segments", "k", put(ids=[1, 2, 3]))
    cache.open("segments", "k")
    monkeypatch.setattr("tuner.persist.array_file._digest", lambda path: b"")

    assert cache.open("segments", "k")["ids"].tolist() == [1, 2, 3]
    assert Cache(cache.entries()[0].path.parents[1]).open("segments", "k") is None


def test_what_another_process_uses_meanwhile_is_not_read_whole_again(cache, monkeypatch):
    cache.obtain("prefix", "k", put(ids=[1, 2, 3]))
    other = Cache(cache.entries()[0].path.parents[1])
    other.open("prefix", "k")
    time.sleep(0.02)  # a file system's clock ticks in milliseconds
    cache.open("prefix", "k")
    monkeypatch.setattr("tuner.persist.array_file._digest", lambda path: b"")

    assert other.open("prefix", "k")["ids"].tolist() == [1, 2, 3]
    assert cache.open("prefix", "k")["ids"].tolist() == [1, 2, 3]


def test_entry_that_another_process_made_anew_is_read_whole(cache):
    cache.obtain("prefix", "k", put(ids=[1, 2, 3]))
    other = Cache(cache.entries()[0].path.parents[1])
    cache.prune(max_bytes=0)
    other.obtain("prefix", "k", put(ids=[1, 2, 3]))
    (entry,) = cache.entries()
    content = bytearray(entry.path.read_bytes())
    content[70] ^= 1
    time.sleep(0.02)
    entry.path.write_bytes(content)

    assert cache.open("prefix", "k") is None
    assert other.open("prefix", "k") is None


def test_cache_that_cannot_be_read_is_one_line(cache):
    cache.obtain("segments", "k", put(ids=[1]))
    (entry,) = cache.entries()
    entry.path.unlink()
    entry.path.mkdir()

    with pytest.raises(StorageError, match=r"k\.arrays: cannot be read: "):
        cache.obtain("segments", "k", never)


@pytest.mark.parametrize("n_bytes", [0, 30, 100])
def test_entry_cut_short_is_made_anew(cache, n_bytes):
    cache.obtain("segments", "k", put(ids=[1, 2, 3]))
    (entry,) = cache.entries()
    entry.path.write_bytes(entry.path.read_bytes()[:n_bytes])

    assert cache.open("segments", "k") is None
    assert cache.obtain("segments", "k", put(ids=[1, 2, 3]))["ids"].tolist() == [1, 2, 3]


def test_entry_that_could_not_be_made_leaves_nothing(cache):
    def fail(writer):
        writer.put("ids", np.arange(3))
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        cache.obtain("segments", "k", fail)

    assert cache.entries() == []
    assert cache.obtain("segments", "k", put(ids=[7]))["ids"].tolist() == [7]


def use(cache, key, *, age, n_bytes=1000):
    cache.obtain("segments", key, put(ids=np.zeros(n_bytes, np.uint8)))
    (entry,) = [entry for entry in cache.entries() if entry.key == key]
    when = time.time() - age
    os.utime(entry.path, (when, when))


def keys(cache):
    return [entry.key for entry in cache.entries()]


def test_prune_takes_the_longest_unused_first(cache):
    for key, age in (("new", 10), ("old", 1000), ("older", 2000)):
        use(cache, key, age=age)
    size = cache.entries()[0].n_bytes

    assert [entry.key for entry in cache.prune(unused_seconds=1500)] == ["older"]
    assert [entry.key for entry in cache.prune(max_bytes=size)] == ["old"]
    assert keys(cache) == ["new"]


def test_reading_counts_as_use(cache):
    use(cache, "a", age=1000)
    use(cache, "b", age=500)

    cache.open("segments", "a")

    assert keys(cache) == ["a", "b"]


def test_pruning_leaves_nothing_of_an_entry(cache, tmp_path):
    use(cache, "a", age=1000)
    cache.open("segments", "a")

    cache.prune(max_bytes=0)

    assert list((tmp_path / "cache" / "segments").iterdir()) == []


def test_limit_is_kept_by_use_and_never_costs_the_newest_entry(cache):
    use(cache, "a", age=1000)
    use(cache, "b", age=500)
    cache.set_limit(2 * cache.entries()[0].n_bytes + 100)

    use(cache, "c", age=0)
    assert keys(cache) == ["c", "b"]

    use(cache, "huge", age=0, n_bytes=100_000)
    assert keys(cache) == ["huge"]


def test_pruned_entry_stays_readable_where_it_is_open(cache):
    arrays = cache.obtain("segments", "k", put(ids=np.arange(1000)))

    cache.prune(max_bytes=0)

    assert keys(cache) == []
    assert arrays["ids"].sum() == 499_500


def test_prune_removes_what_a_killed_process_left(cache, tmp_path):
    use(cache, "k", age=0)
    left = tmp_path / "cache" / "segments" / ".other.arrays.x1y2"
    left.write_bytes(b"half")

    cache.prune()

    assert not left.exists()
    assert keys(cache) == ["k"]


def test_foreign_files_and_folders_are_left_alone_unless_they_pass_for_entries(cache, tmp_path):
    use(cache, "k", age=0)
    stage = tmp_path / "cache" / "segments"
    (stage / "folder.arrays").mkdir()
    (stage / "notes.txt").write_text("mine")
    (stage / "junk.arrays").write_text("not of ours, and no entry")

    damaged = cache.verify()

    assert keys(cache) == ["junk", "k"]
    assert [entry.key for entry in damaged] == ["junk"]
    cache.prune(max_bytes=0)
    assert sorted(path.name for path in stage.iterdir() if path.name[0] != ".") == [
        "folder.arrays", "notes.txt",
    ]  # fmt: skip


def test_full_disk_is_one_line(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tuner.persist.array_file.os.fsync", full)

    with pytest.raises(StorageError, match=r"segments: cannot be written: the disk is full\.$"):
        cache.obtain("segments", "k", put(ids=[1]))

    assert cache.entries() == []


FULL = """
import resource
from pathlib import Path
import numpy as np
from tuner.errors import StorageError
from tuner.persist import Cache

cache = Cache(Path("cache"))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for make in (
    lambda writer: writer.put("a", np.zeros(10**6)),
    lambda writer: writer.create("a", (10**6,), np.float16),
    lambda writer: [writer.put(str(n), np.zeros(500)) for n in range(100)],
):
    try:
        cache.obtain("segments", "k", make)
    except StorageError as error:
        print(error)
print(cache.entries(), [path.name for path in Path("cache/segments").glob("*arrays*")])
"""


def test_file_that_cannot_grow_is_one_line_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, env=environment(), text=True,
        capture_output=True, check=True,
    )  # fmt: skip

    line = "cache/segments: cannot be written: File too large."
    assert done.stdout.splitlines() == [line, line, line, "[] []"]
    assert done.stderr == ""


FILLER = """
import sys, time
from pathlib import Path
import numpy as np
from tuner.persist import Cache

def make(writer):
    with open("made", "a") as file:
        file.write("x")
    time.sleep(float(sys.argv[1]))
    writer.put("ids", np.arange(3))

print(Cache(Path("cache")).obtain("segments", "k", make)["ids"].sum())
"""


def fill(folder, seconds):
    return subprocess.Popen(
        [sys.executable, "-c", FILLER, str(seconds)],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_processes_that_fill_one_entry_do_the_work_once(tmp_path):
    processes = [fill(tmp_path, 1.0) for _ in range(3)]

    assert [process.communicate(timeout=60)[0] for process in processes] == ["3\n"] * 3
    assert (tmp_path / "made").read_text() == "x"


def test_killed_filler_leaves_the_work_to_the_next(tmp_path):
    first = fill(tmp_path, 60)
    while not (tmp_path / "made").exists():
        time.sleep(0.05)
    first.kill()
    first.communicate()

    assert fill(tmp_path, 0).communicate(timeout=60)[0] == "3\n"
    cache = Cache(tmp_path / "cache")
    cache.prune()
    assert cache.verify() == []
    assert [path.name for path in (tmp_path / "cache" / "segments").glob("*arrays*")] == [
        "k.arrays"
    ]
