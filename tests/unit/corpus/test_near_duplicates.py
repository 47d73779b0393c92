import random
import tracemalloc

from tuner.corpus import duplicate_key, near_duplicate_groups

LONG = (
    "这家酒店的位置非常方便离地铁站只有五分钟的路程房间也很干净服务员态度热情下次还会再来入住的强烈推荐给大家"
    "早餐品种丰富味道也不错就是电梯稍微慢了一点前台办理入住的速度很快还免费帮我们升级了房型孩子特别喜欢楼下的游泳池"
)


def test_texts_that_differ_by_a_few_characters_share_a_group():
    other = LONG.replace("五分钟", "十分钟")

    assert near_duplicate_groups(
        [LONG, "完全不同的一段评论文字内容写的是一本书的故事情节", other]
    ) == [0, 1, 0]


def test_texts_below_the_threshold_stay_apart():
    half = (
        LONG[: len(LONG) // 2] + "而另外一半讲的是完全不同的事情比如早餐很差停车困难价格偏高等等"
    )

    assert near_duplicate_groups([LONG, half]) == [0, 1]


def test_short_texts_group_only_when_equal():
    assert near_duplicate_groups(["很好很好", "很好很坏", "很好很好"]) == [0, 1, 0]


def test_groups_close_over_others():
    steps = [LONG, LONG.replace("五", "六"), LONG.replace("五", "六").replace("非", "真")]

    assert near_duplicate_groups(steps) == [0, 0, 0]


def test_planted_near_duplicates_are_found():
    generator = random.Random(0)
    alphabet = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
    texts = ["".join(generator.choices(alphabet, k=80)) for _ in range(300)]
    changed = [text[:40] + generator.choice(alphabet) + text[41:] for text in texts]

    groups = near_duplicate_groups(texts + changed)

    assert groups[300:] == list(range(300))


def test_memory_is_that_of_one_text_however_many_long_ones_there_are():
    generator = random.Random(0)
    alphabet = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
    texts = ["".join(generator.choices(alphabet, k=2_000)) for _ in range(200)]

    tracemalloc.start()
    near_duplicate_groups(texts)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 15_000_000  # all trigrams as bytes are 20 million


def test_long_texts_are_compared_whole():
    generator = random.Random(0)
    alphabet = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]
    texts = ["".join(generator.choices(alphabet, k=25_000)) for _ in range(3)]
    changed = [text[:-500] for text in texts]

    assert near_duplicate_groups(texts + changed) == [0, 1, 2, 0, 1, 2]


def test_key_keeps_letters_and_digits_of_any_script():
    assert duplicate_key("ＡＢＣ　123，好！") == "abc123好"
    assert duplicate_key("!?") != duplicate_key("...")
