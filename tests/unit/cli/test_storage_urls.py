import pytest

from tuner.cli.storage import url_of
from tuner.errors import ConfigError

SECRET = "postgresql://ann:geheim@db/t"


def test_url_stands_in_the_environment_in_a_file_or_for_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HERE", SECRET)
    (tmp_path / "url").write_text(f"{SECRET}\n", "utf-8")

    assert url_of("FROM", "env:HERE") == SECRET
    assert url_of("FROM", f"file:{tmp_path / 'url'}") == SECRET
    assert url_of("FROM", "sqlite:///runs/tuner.db") == "sqlite:///runs/tuner.db"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (SECRET, "TO must have no password in it"),
        ("postgresql://db/t?user=ann&password=geheim", "TO must have no password in it"),
        ("env:NOWHERE_AT_ALL", "'NOWHERE_AT_ALL' is not set"),
        ("file:/nowhere/at/all", "/nowhere/at/all cannot be read"),
    ],
)
def test_what_gives_no_url_or_shows_a_password_is_refused(word, message):
    with pytest.raises(ConfigError, match=message) as refused:
        url_of("TO", word)
    assert "geheim" not in str(refused.value)


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "url").write_text("\n")
    with pytest.raises(ConfigError, match="it is empty"):
        url_of("TO", f"file:{tmp_path / 'url'}")
