import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.config import PreprocessSettings
from tuner.preprocess import normalize
from tuner.preprocess.markup import strip_markup


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>很好</p><p>推荐</p>", "很好 推荐"),
        ("wor<b>ld</b>", "world"),
        ("a<br>b<br/>c", "a b c"),
        ("A &amp; B &lt;3", "A & B <3"),
        ("<script>var x = 1;</script>正文<style>p{}</style>", "正文"),
        ("<script>正文在后面", "正文在后面"),
        ("<!-- 注释 -->正文", "正文"),
        ("3 < 5 and 7 > 6", "3 < 5 and 7 > 6"),
        ("<三体>真好看", "<三体>真好看"),
        ("<Harry Potter>", "<Harry Potter>"),
        ("价格<div class='x'>便宜", "价格 便宜"),
        ("没关的<b 标签", "没关的<b 标签"),
        ("<!-- 没关的注释", "<!-- 没关的注释"),
        ("a <!-- x --> b <!-- c", "a b <!-- c"),
        ("<script><!-- a </script>正文<!-- b -->后面", "正文后面"),
        ("<script src='a.js'/>正文", "正文"),
        # Quotes that are never closed, and such as close a value.
        (
            '<a href="http://x.com>click</a> great product <b class="x">nice</b> end',
            "click great product nice end",
        ),
        ('<img src="x>好看的电影，推荐"给大家> 真的', '好看的电影，推荐"给大家> 真的'),
        ("<a title=don't>it's</a> fine", "it's fine"),
        ('<a title="x > y" href="z">go</a>', "go"),
        ("<a title = 'x > y'>go</a>", "go"),
        # Words are no attributes.
        ("if a <b and c> d", "if a <b and c> d"),
        ("<input disabled>a<td nowrap>b", "a b"),
    ],
)
def test_markup_goes_and_content_stays(text, expected):
    assert " ".join(strip_markup(text).split()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＷＩＦＩ很快！！！", "wifi很快"),
        ("Don't stop, e-mail me.", "don't stop e-mail me"),
        ("价格3.5元，便宜", "价格3.5元 便宜"),
        ("a\u0000b\tc\r\nd", "a b c d"),
        ("好看😊", "好看😊"),
        ("……", ""),
        ("\ufeff好\u200b看", "好看"),
        ("so\u00adft&shy;ware&#8203;", "software"),
        ("ca\u200bfe\u200b\u0301", "café"),
        ("喜欢❤\ufe0f1\ufe0f\u20e3", "喜欢❤1\u20e3"),
        ("正\u200d面 a\u200cb\u200d", "正面 ab"),
        # A family, a heart on fire, and a Persian and a Hindi word that joiners shape.
        ("👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "👨\u200d👩\u200d👧 ❤\u200d🔥"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("👩🏽\u200d🚀", "👩 🚀"),
    ],
)
def test_text_is_brought_into_one_format(text, expected):
    assert normalize(text, PreprocessSettings()) == expected


def test_masks_replace_what_they_name():
    settings = PreprocessSettings(mask_urls=True, mask_emails=True, mask_numbers=True)

    assert (
        normalize("见https://a.cn/x?y=1，写信a.b@c.com或打12345", settings)
        == "见 xxurl 写信 xxemail 或打 xxnumber"
    )


def test_every_step_can_be_switched_off():
    settings = PreprocessSettings(html="keep", lower_case=False, punctuation="keep")

    assert normalize("<b>Good!</b>", settings) == "<b>Good!</b>"


plain_text = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="<>&"), max_size=80
)


@given(plain_text)
@settings(max_examples=300, deadline=None)
def test_letters_and_digits_survive(text):
    def content(value):
        folded = unicodedata.normalize("NFKC", value).lower()
        return [c for c in folded if c.isalnum()]

    assert content(normalize(text, PreprocessSettings())) == content(text)


words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=9)
opened = st.sampled_from(
    ["<b>", "<br/>", "</p>", '<a href="{}">', '<a href="{}>', "<img alt='{}>", "<p class={}>"]
)


@given(st.lists(st.tuples(opened, words, words), max_size=8))
@settings(max_examples=200, deadline=None)
def test_all_words_outside_tags_survive_whatever_quotes_are_left_open(pieces):
    html = "".join(tag.format(value) + f"{word} " for tag, value, word in pieces)

    assert strip_markup(html).split() == [word for _, _, word in pieces]


@given(
    st.text(st.sampled_from("aé好\u0301\u0634\u094d㊙ⓔ❤👩🏽🚀\ufe0f\u200b\u200c\u200d\u00ad ,，."))
)
@settings(max_examples=300, deadline=None)
def test_no_stray_invisible_character_is_left(text):
    once = normalize(text, PreprocessSettings())

    assert not set(once) & set("\ufe0f\u200b\u00ad")
    assert not any(word.strip("\u200c\u200d") == "" for word in once.split())
    assert normalize(once, PreprocessSettings()) == once


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_normalised_again_without_change(text):
    settings_ = PreprocessSettings(html="keep")
    once = normalize(text, settings_)

    assert normalize(once, settings_).split() == once.split()
