"""Pretraining of an encoder on texts without labels: hidden words are guessed."""

from tuner.training.masked_language.pretrain import (
    Budget,
    Evaluation,
    Memory,
    Pretrained,
    pretrain,
)
from tuner.training.masked_language.sequences import WORD_BEGINS, Sequences
from tuner.training.masked_language.sizes import bert_architecture

__all__ = [
    "WORD_BEGINS",
    "Budget",
    "Evaluation",
    "Memory",
    "Pretrained",
    "Sequences",
    "bert_architecture",
    "pretrain",
]
