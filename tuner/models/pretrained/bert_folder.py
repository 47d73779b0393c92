"""Write a BERT as a Hugging Face folder, and learn the pieces its tokenizer cuts texts into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

from tuner.models.pretrained.architecture import Architecture

__all__ = ["SPECIAL", "CutText", "learn_pieces", "piece_cutter", "write_bert_folder"]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The pieces that every vocabulary begins with; their ids are their places."""

_OPTIONS: dict[str, Any] = {"lowercase": True, "handle_chinese_chars": True}

# Hugging Face's names of what a block holds; kernels are stored there (out, in).
_BLOCK = {
    "output/": "attention.output.dense",
    "attention_norm/": "attention.output.LayerNorm",
    "expand/": "intermediate.dense",
    "contract/": "output.dense",
    "output_norm/": "output.LayerNorm",
}
_KINDS = {"kernel": "weight", "bias": "bias", "scale": "weight", "offset": "bias"}


@dataclass(frozen=True, slots=True)
class CutText:
    """A text's pieces, (n,) each: their ids, and where in the text each begins and ends."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]


def learn_pieces(texts: Iterable[str], *, size: int) -> list[str]:
    """Learn a vocabulary: Han characters one by one, other words in the pieces they share.

    Parameters
    ----------
    texts
        Cleaned texts, read once; the memory is bounded by how many words are distinct.
    size
        Pieces at most. The most frequent characters come first, the rest is unknown.

    Returns
    -------
    list of str
        `SPECIAL` first; what stands inside a word begins with "##".

    Notes
    -----
    WordPiece by merging the commonest pair, as BERT's tokenizer for Chinese does after it has put
    blanks around Han characters (Devlin et al. 2019, multilingual.md of their code).
    """
    tokenizer = BertWordPieceTokenizer(**_OPTIONS)
    tokenizer.train_from_iterator(
        texts,
        vocab_size=size,
        min_frequency=2,
        limit_alphabet=size - len(SPECIAL),
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    pieces = tokenizer.get_vocab()
    return sorted(pieces, key=lambda piece: pieces[piece])[:size]


def piece_cutter(vocabulary: Sequence[str]) -> Callable[[Sequence[str]], list[CutText]]:
    """Give the function that cuts texts as a folder with this vocabulary will."""
    tokenizer = BertWordPieceTokenizer(
        {piece: number for number, piece in enumerate(vocabulary)}, **_OPTIONS
    )

    def cut(texts: Sequence[str]) -> list[CutText]:
        return [
            CutText(found.ids, found.offsets)
            for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]

    return cut


def write_bert_folder(
    folder: Path,
    architecture: Architecture,
    vocabulary: Sequence[str],
    weights: Mapping[str, npt.NDArray[np.float32]],
    *,
    seed: int,
) -> None:
    """Write `config.json`, `vocab.txt`, `tokenizer_config.json` and `model.safetensors`.

    Parameters
    ----------
    folder
        There already.
    architecture
        A BERT's: one group a block, one width.
    weights
        By the names of `Checkpoint.read_weights`; `embedding/word` (len(vocabulary), width); and
        of the head for masked pieces `masked/transform/kernel`, `/bias`, `masked/norm/scale`,
        `/offset` and `masked/bias` (len(vocabulary),).
    seed
        Of BERT's pooler, which masked language modelling leaves untrained (normal, 0.02).
    """
    width = architecture.width
    config = {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": width,
        "num_hidden_layers": architecture.n_blocks,
        "num_attention_heads": architecture.n_heads,
        "intermediate_size": architecture.feed_forward_width,
        "max_position_embeddings": architecture.n_positions,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": architecture.epsilon,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    about = {
        "do_lower_case": True,
        "tokenize_chinese_chars": True,
        "model_max_length": architecture.n_positions,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    text = "".join(f"{piece}\n" for piece in vocabulary)
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="\n")
    tensors = _tensors(architecture, weights, np.random.default_rng(seed))
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the library writes it for its owner alone


def _tensors(
    architecture: Architecture,
    weights: Mapping[str, npt.NDArray[np.float32]],
    generator: np.random.Generator,
) -> dict[str, npt.NDArray[np.float32]]:
    width = architecture.width
    tensors = {
        "bert.embeddings.word_embeddings.weight": weights["embedding/word"],
        "bert.embeddings.position_embeddings.weight": weights["embedding/position"],
        # A single text is all of segment 0, which the positions hold already.
        "bert.embeddings.token_type_embeddings.weight": np.zeros((2, width), np.float32),
        "bert.embeddings.LayerNorm.weight": weights["embedding/norm/scale"],
        "bert.embeddings.LayerNorm.bias": weights["embedding/norm/offset"],
        "bert.pooler.dense.weight": generator.normal(0, 0.02, (width, width)).astype(np.float32),
        "bert.pooler.dense.bias": np.zeros(width, np.float32),
        "cls.predictions.transform.dense.weight": weights["masked/transform/kernel"].T,
        "cls.predictions.transform.dense.bias": weights["masked/transform/bias"],
        "cls.predictions.transform.LayerNorm.weight": weights["masked/norm/scale"],
        "cls.predictions.transform.LayerNorm.bias": weights["masked/norm/offset"],
        "cls.predictions.bias": weights["masked/bias"],
    }
    for block in range(architecture.n_blocks):
        target = f"bert.encoder.layer.{block}"
        for part, kernel, bias in zip(
            ("query", "key", "value"),
            np.split(weights[f"block_{block}/attention/kernel"], 3, axis=1),
            np.split(weights[f"block_{block}/attention/bias"], 3),
            strict=True,
        ):
            tensors[f"{target}.attention.self.{part}.weight"] = kernel.T
            tensors[f"{target}.attention.self.{part}.bias"] = bias
        for ours, theirs in _BLOCK.items():
            for kind, name in _KINDS.items():
                found = weights.get(f"block_{block}/{ours}{kind}")
                if found is not None:
                    tensors[f"{target}.{theirs}.{name}"] = found.T
    return tensors
