"""What every segmenter must do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.config import PreprocessSettings
from tuner.errors import ConfigError
from tuner.preprocess import (
    normalize,
    resolve_segmenter,
    segmenter,
    stop_words,
    tokenize,
    with_words,
)

NAMES = ["jieba", "jieba_search", "characters", "words"]
TEXTS = ["这家酒店的服务真不错 wifi很快", "the hotel wasn't bad 3.5", "混合text与数字123 😊", ""]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "jieba_search"])
@pytest.mark.parametrize("text", TEXTS)
def test_tokens_join_to_the_text(name, text):
    assert "".join(segmenter(name)(text)) == "".join(text.split())


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_token_is_blank_and_no_letter_is_lost(name, text):
    cleaned = normalize(text, PreprocessSettings(html="keep"))

    tokens = segmenter(name)(cleaned)

    assert all(token.strip() for token in tokens)
    assert {c for c in cleaned if c.isalnum()} <= set("".join(tokens))


def test_words_of_known_texts():
    assert segmenter("jieba")("服务态度很好") == ["服务态度", "很", "好"]
    assert segmenter("characters")("很好wifi") == ["很", "好", "wifi"]
    assert segmenter("words")("it wasn't good 好看") == ["it", "wasn't", "good", "好", "看"]


def test_user_dictionary_is_used(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("云计算平台 1000\n", encoding="utf-8")

    assert "云计算平台" in segmenter("jieba", str(path))("我们的云计算平台")


def test_missing_dictionary_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"preprocess.dictionary.*nowhere.txt"):
        segmenter("jieba", str(tmp_path / "nowhere.txt"))


def test_shipped_stop_words_keep_negations():
    for word in ("不", "没", "没有", "无", "不是"):
        assert word not in stop_words("zh")
    for word in ("not", "no", "don't", "never"):
        assert word not in stop_words("en")
    assert {"的", "了"} <= stop_words("zh")
    assert {"the", "of"} <= stop_words("en")


def test_stop_words_go_after_segmentation():
    settings_ = PreprocessSettings(segmenter="words", stop_words="en")

    assert list(tokenize(["The hotel of it, not the lobby"], settings_)) == [
        ["hotel", "not", "lobby"]
    ]


def test_own_stop_words_are_taken_as_they_are(tmp_path):
    path = tmp_path / "stop.txt"
    path.write_text("not\n")

    settings_ = PreprocessSettings(segmenter="words", stop_words=str(path))

    assert list(tokenize(["not good"], settings_)) == [["good"]]


def test_unknown_stop_words_are_refused():
    with pytest.raises(ConfigError, match=r"preprocess.stop_words.*'klingon'"):
        stop_words("klingon")


def test_of_no_texts_there_are_no_tokens():
    assert list(tokenize([], PreprocessSettings(segmenter="words"))) == []


def test_worker_processes_change_nothing(monkeypatch):
    texts = [f"这家酒店很好 {number}" for number in range(1200)]
    settings_ = PreprocessSettings(segmenter="characters")
    alone = tokenize(texts, settings_)
    monkeypatch.setattr("tuner.preprocess.passes._PARALLEL_FROM_SECONDS", 0)
    monkeypatch.setattr("tuner.preprocess.passes._PIECE_CHARACTERS", 1000)

    together = tokenize(texts, settings_, processes=2)

    assert list(together) == list(alone)
    assert together.lexicon == alone.lexicon


CHINESE, ENGLISH = "服务态度很好", "a really good hotel"


@pytest.mark.parametrize(
    ("text", "n", "settings_", "expected"),
    [
        (CHINESE, 19_999, {}, "characters"),
        (CHINESE, 20_000, {}, "jieba"),
        (CHINESE, 100, {"stop_words": "zh"}, "jieba"),
        (CHINESE, 100, {"dictionary": "words.txt"}, "jieba"),
        (CHINESE, 100, {"segmenter": "jieba_search"}, "jieba_search"),
        (ENGLISH, 100, {}, "words"),
    ],
)
def test_auto_takes_characters_for_small_chinese_tables_only(text, n, settings_, expected):
    resolved = resolve_segmenter(PreprocessSettings(**settings_), [text] * n)

    assert resolved.segmenter == expected


@pytest.mark.parametrize("given", ["auto", "characters"])
def test_what_is_defined_on_words_gets_words(given):
    assert with_words(PreprocessSettings(segmenter=given), [CHINESE]).segmenter == "jieba"
    assert with_words(PreprocessSettings(segmenter=given), [ENGLISH]).segmenter == "words"
