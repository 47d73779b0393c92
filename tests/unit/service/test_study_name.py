from __future__ import annotations

import pytest

from tuner.errors import ConfigError
from tuner.service.study_name import check_study_name


@pytest.mark.parametrize(
    "name", ["reviews", "新闻-2024", "a.b_c-1", ".hidden", "cached", "评" * 66]
)
def test_name_that_can_be_a_folder_is_taken(name):
    check_study_name(name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "1 to 200"),
        ("../x", "1 to 200"),
        ("a b", "1 to 200"),
        ("x" * 201, "1 to 200"),
        (".", "more than dots"),
        ("..", "more than dots"),
        ("cache", "'cache'"),
        ("tuner.db", "'tuner.db'"),
        ("tuner.db-wal", "'tuner.db'"),
        ("评" * 67, "at most 200 bytes"),
    ],
)
def test_name_that_would_leave_its_folder_or_take_anothers_is_refused(name, rule):
    with pytest.raises(ConfigError) as caught:
        check_study_name(name)

    said = str(caught.value)
    assert said.startswith("--study-name must ")
    assert rule in said
    assert name[:40] in said
    assert len(said) < 250
