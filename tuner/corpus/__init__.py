"""Read labelled documents, and say what is wrong with them."""

from tuner.corpus.clean import drop_conflicts, drop_copies, excerpt, read_documents, unify_labels
from tuner.corpus.encoding import read_lines, read_text
from tuner.corpus.keys import duplicate_key
from tuner.corpus.near_duplicates import near_duplicate_groups
from tuner.corpus.sql import mask_password
from tuner.corpus.streaming import stream_texts
from tuner.corpus.tables import read_table, read_texts, read_texts_as_trained

__all__ = [
    "drop_conflicts",
    "drop_copies",
    "duplicate_key",
    "excerpt",
    "mask_password",
    "near_duplicate_groups",
    "read_documents",
    "read_lines",
    "read_table",
    "read_text",
    "read_texts",
    "read_texts_as_trained",
    "stream_texts",
    "unify_labels",
]
