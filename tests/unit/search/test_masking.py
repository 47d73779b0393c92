"""No password is shown, in whatever shape a URL comes."""

from __future__ import annotations

import pytest

from tuner.corpus import mask_password
from tuner.errors import ConfigError
from tuner.masking import mask_url
from tuner.search import mask, parse_url

URLS = [
    "postgresql://u:geheim@h/d",
    "postgresql+psycopg://u:geheim@h:5432/d?sslmode=require",
    "postgresql://h/d?user=u&password=geheim",
    "postgresql://h/d?PASSWORD=geheim&user=u",
    "postgresql://h/d?sslpassword=geheim",
    "sqlite:///q.db?password=geheim",
    "sqlite://u:geheim@x.db",
    "postgresql://u:sec@geheim@h:notaport/d",
    "postgresql://u:sec/geheim@h/d",
    "postgresql://u:sec?geheim@h/d",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3Dgeheim",
    "host=h user=u password=geheim",
    "mysql://u:geheim@h/d",
    "postgresql://u:geheim",
    "postgresql://u:geheim/d?sslmode=require",
]


@pytest.mark.parametrize("show", [mask_url, mask, mask_password])
@pytest.mark.parametrize("url", URLS)
def test_no_password_is_shown(url, show):
    assert "geheim" not in show(url)
    assert "***" in show(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://u:geheim@x.db",
        "sqlite://?password=geheim",
        "postgresql://u:sec@geheim@h:notaport/d",
        "host=h user=u password=geheim",
        "mysql://u:geheim@h/d",
        "postgresql://u:geheim/d",
    ],
)
def test_no_refusal_shows_a_password(url):
    with pytest.raises(ConfigError) as caught:
        parse_url(url)

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///runs/tuner.db",
        "postgresql://ann@db/shop",
        "postgresql://[::1]:5432/shop",
        "postgresql://one:5432,two:5433/shop",
        "model.token_dropout=0.5",
        "reviews.csv",
    ],
)
def test_what_holds_no_password_stays_as_it_is(text):
    assert mask_url(text) == text


def test_host_and_database_can_still_be_read():
    assert mask("postgresql+psycopg://ann:geheim@db:5432/shop") == (
        "postgresql://ann:***@db:5432/shop"
    )
