"""The tokenizer of a Hugging Face folder."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from tuner.errors import ConfigError
from tuner.models.pretrained.lfs_pointer import refuse_lfs_pointer

__all__ = ["FolderTokenizer", "open_tokenizer"]

_BERT = ("[CLS]", "[SEP]")
_ROBERTA = ("<s>", "</s>")
_SENTENCE_PIECE = {
    "sentencepiece.bpe.model": "XLMRobertaTokenizer",
    "spiece.model": "AlbertTokenizer",
}
_FILES = ("vocab.txt", "vocab.json", "merges.txt", *_SENTENCE_PIECE, "tokenizer.json")


@dataclass(frozen=True, slots=True)
class FolderTokenizer:
    """Cuts texts into the ids of a vocabulary.

    Attributes
    ----------
    tokenize
        Without start and end.
    start, end
        Ids that stand around a text.
    n_pieces
        One more than the highest id it can give.
    about
        What decides about its output, as JSON values.
    """

    tokenize: Callable[[Sequence[str]], list[list[int]]]
    start: int
    end: int
    n_pieces: int
    about: Sequence[Any]


def open_tokenizer(folder: Path) -> FolderTokenizer:
    """Open the tokenizer whose files a folder has.

    `vocab.txt` is word pieces (BERT, and the Chinese ALBERTs), `vocab.json` with `merges.txt` byte
    pairs (RoBERTa), `sentencepiece.bpe.model` XLM-R's and `spiece.model` ALBERT's SentencePiece;
    where there is none of them, `tokenizer.json` is any.

    Raises
    ------
    ConfigError
        If there is none, or it cannot be read.
    """
    for name in _FILES:
        refuse_lfs_pointer(folder / name)
    if (folder / "vocab.txt").is_file():
        return _word_pieces(folder / "vocab.txt", _tokenizer_config(folder))
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return _byte_pairs(folder / "vocab.json", folder / "merges.txt")
    for name, kind in _SENTENCE_PIECE.items():
        if (folder / name).is_file():
            return _sentence_pieces(folder / name, kind, _tokenizer_config(folder))
    if (folder / "tokenizer.json").is_file():
        return _any(folder / "tokenizer.json")
    raise ConfigError(
        f"model.checkpoint: {folder} has no tokenizer; it needs vocab.txt, vocab.json with "
        f"merges.txt, {', '.join(_SENTENCE_PIECE)}, or tokenizer.json."
    )


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return found if isinstance(found, dict) else {}


def _word_pieces(path: Path, config: Mapping[str, Any]) -> FolderTokenizer:
    """Open BERT's word pieces.

    KerasHub's fold the case of the whole Unicode, by which Chinese punctuation becomes ASCII and
    so another piece than the one the checkpoint was trained with.
    """
    options = {
        "lowercase": bool(config.get("do_lower_case", True)),
        "strip_accents": config.get("strip_accents"),
        "handle_chinese_chars": bool(config.get("tokenize_chinese_chars", True)),
    }
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    # Not by splitlines: some of the signs by which it splits are pieces.
    lines = text.rstrip("\n").split("\n")
    vocabulary = {piece: number for number, piece in enumerate(lines)}
    start, end = _special(vocabulary, (*_BERT, "[UNK]"), path)[:2]
    tokenizer = BertWordPieceTokenizer(vocabulary, **options)
    return FolderTokenizer(
        _tokenize_by(tokenizer), start, end, len(lines), ["word pieces", options, lines]
    )


def _byte_pairs(vocabulary_path: Path, merges_path: Path) -> FolderTokenizer:
    try:
        vocabulary = json.loads(vocabulary_path.read_text(encoding="utf-8"))
        lines = merges_path.read_text(encoding="utf-8").split("\n")
        merges = [
            tuple(line.split(" "))
            for line in lines
            if line.strip() and not line.startswith("#version")
        ]
        start, end = _special(vocabulary, _ROBERTA, vocabulary_path)
        tokenizer = ByteLevelBPETokenizer(vocabulary, merges)
    except ConfigError:
        raise
    except Exception as error:  # the library raises nothing narrower
        raise _unreadable(merges_path, error) from error
    n_pieces = 1 + max(vocabulary.values())
    about = ["byte pairs", sorted(vocabulary.items()), merges]
    return FolderTokenizer(_tokenize_by(tokenizer), start, end, n_pieces, about)


def _sentence_pieces(path: Path, kind: str, config: Mapping[str, Any]) -> FolderTokenizer:
    # Here, since it loads TensorFlow, which the other tokenizers do without.
    from tuner.models.pretrained.keras_hub_source import OpError, keras_hub, keras_hub_pieces

    try:
        content = path.read_bytes()
        tokenizer = getattr(keras_hub.models, kind)(proto=content)
        n_pieces = int(tokenizer.vocabulary_size())
    except OpError as error:  # says where in the C++ it came up
        raise ConfigError(
            f"model.checkpoint: {path} is no whole SentencePiece model; fetch it once more."
        ) from error
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise _unreadable(path, error) from error
    about: list[Any] = [kind, hashlib.sha256(content).hexdigest()]
    tokenize = partial(keras_hub_pieces, tokenizer)
    if kind == "AlbertTokenizer":
        options = _albert_options(config)
        about.append(options)
        tokenize = partial(_after_albert, tokenize, options)
    return FolderTokenizer(
        tokenize, int(tokenizer.start_token_id), int(tokenizer.end_token_id), n_pieces, about
    )


def _albert_options(config: Mapping[str, Any]) -> dict[str, bool]:
    return {
        "lowercase": bool(config.get("do_lower_case", True)),
        "keep_accents": bool(config.get("keep_accents", False)),
        "remove_space": bool(config.get("remove_space", True)),
    }


def _after_albert(
    tokenize: Callable[[Sequence[str]], list[list[int]]],
    options: Mapping[str, bool],
    texts: Sequence[str],
) -> list[list[int]]:
    return tokenize([_as_albert(text, **options) for text in texts])


def _as_albert(text: str, *, lowercase: bool, keep_accents: bool, remove_space: bool) -> str:
    """Change a text as Hugging Face's AlbertTokenizer does before SentencePiece (preprocess_text).

    >>> _as_albert(" Une  ``Soirée'' ", lowercase=True, keep_accents=False, remove_space=True)
    'une "soiree"'
    """
    if remove_space:
        text = " ".join(text.split())
    text = text.replace("``", '"').replace("''", '"')
    if not keep_accents:
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return text.lower() if lowercase else text


def _any(path: Path) -> FolderTokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise _unreadable(path, error) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    around = _BERT if _BERT[0] in vocabulary else _ROBERTA
    start, end = _special(vocabulary, around, path)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return FolderTokenizer(
        _tokenize_by(tokenizer), start, end, 1 + max(vocabulary.values()), ["any", content]
    )


def _special(vocabulary: Mapping[str, int], wanted: Sequence[str], path: Path) -> list[int]:
    missing = [piece for piece in wanted if piece not in vocabulary]
    if missing:
        raise ConfigError(
            f"model.checkpoint: {path} must have the pieces {', '.join(wanted)}; it lacks "
            f"{', '.join(missing)}."
        )
    return [int(vocabulary[piece]) for piece in wanted]


def _tokenize_by(tokenizer: Any) -> Callable[[Sequence[str]], list[list[int]]]:
    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [list(each.ids) for each in found]

    return tokenize


def _unreadable(path: Path, error: BaseException) -> ConfigError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ConfigError(f"model.checkpoint: {path} cannot be read: {said}.")
