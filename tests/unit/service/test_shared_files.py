"""Files that a worker brings out of the study's database, which others may have written."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from tuner.errors import DataError
from tuner.persist import FolderBlobs
from tuner.service.shared_files import find_files

CONTENT = "前台服务\n".encode()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "preprocess.dictionary"


@pytest.fixture
def blobs(tmp_path):
    blobs = FolderBlobs(tmp_path / "blobs")
    blobs.put(f"file-{DIGEST}", zlib.compress(CONTENT))
    return blobs


def test_copy_has_the_content_that_the_study_was_made_with(blobs, tmp_path):
    found = find_files({f"{NAME}=/elsewhere/terms.txt": DIGEST}, folder=tmp_path, blobs=blobs)

    assert found == {"/elsewhere/terms.txt": str(tmp_path / DIGEST[:16] / "terms.txt")}
    assert (tmp_path / DIGEST[:16] / "terms.txt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "digest"),
    [("/a/terms.txt", "../../outside"), ("/a/..", DIGEST), ("/", DIGEST), ("/a/b", "ABC")],
)
def test_nothing_is_written_where_neither_path_nor_digest_can_lead(blobs, tmp_path, path, digest):
    folder = tmp_path / "runs" / "s" / "files"

    with pytest.raises(DataError, match=r"preprocess\.dictionary: must be held on to"):
        find_files({f"{NAME}={path}": digest}, folder=folder, blobs=blobs)

    assert [entry.name for entry in tmp_path.iterdir()] == ["blobs"]


@pytest.mark.parametrize("stored", [b"no archive", zlib.compress(b"other words")])
def test_copy_of_another_content_is_refused(blobs, tmp_path, stored):
    blobs.put(f"file-{DIGEST}", stored)

    with pytest.raises(DataError, match=r"preprocess\.dictionary: the copy .* is damaged"):
        find_files({f"{NAME}=/a/terms.txt": DIGEST}, folder=tmp_path, blobs=blobs)


def test_key_of_a_blob_leads_out_of_no_folder(blobs):
    with pytest.raises(DataError, match="a blob has letters"):
        blobs.get("../outside")
