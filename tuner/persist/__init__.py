"""Files that outlive the process: atomic writes, blobs, the cache, parts, models."""

from tuner.persist.array_file import ArrayFileWriter
from tuner.persist.arrays import pack_arrays, unpack_arrays
from tuner.persist.atomic import (
    disk_errors,
    probe_folder,
    replace_folder,
    write_bytes,
    write_json,
    write_text,
)
from tuner.persist.blobs import BlobStore, FolderBlobs
from tuner.persist.cache import Cache
from tuner.persist.cache_folder import CacheEntry
from tuner.persist.model_folder import StoredModel, read_model, write_model
from tuner.persist.parts import (
    SealedTest,
    open_manifest,
    read_documents_file,
    read_parts,
    write_parts,
)

__all__ = [
    "ArrayFileWriter",
    "BlobStore",
    "Cache",
    "CacheEntry",
    "FolderBlobs",
    "SealedTest",
    "StoredModel",
    "disk_errors",
    "open_manifest",
    "pack_arrays",
    "probe_folder",
    "read_documents_file",
    "read_model",
    "read_parts",
    "replace_folder",
    "unpack_arrays",
    "write_bytes",
    "write_json",
    "write_model",
    "write_parts",
    "write_text",
]
