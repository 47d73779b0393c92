"""Layers that networks are built of, and dropout with a tensor for its rate."""

from tuner.models import runtime as _runtime  # noqa: F401 # isort: skip - before Keras

from tuner.models.layers.attention import Block, head_count, sinusoids
from tuner.models.layers.convolution import Convolution
from tuner.models.layers.dropout import Dropout
from tuner.models.layers.embedding import EmbeddingRows, TokenEmbedding, TokenScores
from tuner.models.layers.recurrent import BidirectionalGRU
from tuner.models.layers.scale import Scale

__all__ = [
    "BidirectionalGRU",
    "Block",
    "Convolution",
    "Dropout",
    "EmbeddingRows",
    "Scale",
    "TokenEmbedding",
    "TokenScores",
    "head_count",
    "sinusoids",
]
