import stat

import pytest

from tuner.errors import ConfigError
from tuner.service.door.users import Users, add_user, read_users, remove_user

PASSWORD = "a long enough password"


@pytest.fixture
def file(tmp_path):
    add_user(tmp_path / "users", "ann", PASSWORD, "writer")
    add_user(tmp_path / "users", "李雷", PASSWORD, "reader")
    return tmp_path / "users"


def test_right_password_gives_the_user_with_the_role(file):
    assert Users(file).check("ann", PASSWORD).role == "writer"
    assert Users(file).check("李雷", PASSWORD).role == "reader"


@pytest.mark.parametrize(
    ("name", "password"), [("ann", PASSWORD + "!"), ("bob", PASSWORD), ("", "")]
)
def test_wrong_name_or_password_gives_nobody(file, name, password):
    assert Users(file).check(name, password) is None


def test_password_typed_in_two_unicode_spellings_is_one(tmp_path):
    add_user(tmp_path / "users", "ann", "caf\u00e9 caf\u00e9 caf\u00e9", "reader")

    assert Users(tmp_path / "users").check("ann", "cafe\u0301 cafe\u0301 cafe\u0301")


def test_file_holds_no_password_and_is_for_its_owner_alone(file):
    assert PASSWORD not in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, second = read_users(file).values()
    assert first.password != second.password


def test_removed_user_is_out_while_the_dashboard_runs(file):
    users = Users(file)

    remove_user(file, "ann")

    assert users.get("ann") is None
    assert users.get("李雷") is not None


def test_file_that_is_damaged_later_lets_nobody_in(file, caplog):
    users = Users(file)

    file.write_text("rubbish", "utf-8")

    assert users.get("ann") is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ann:reader:plain", "line 1"),
        ("ann:boss:scrypt:32768:8:3:AAAA:AAAA", "line 1"),
        ("ann:reader:scrypt:1048576:1024:3:AAAAAAAAAAAAAAAAAAAAAA==:" + "A" * 43 + "=", "line 1"),
    ],
)
def test_malformed_line_is_named(tmp_path, line, complaint):
    (tmp_path / "users").write_text(line + "\n", "utf-8")

    with pytest.raises(ConfigError, match=complaint):
        read_users(tmp_path / "users")


def test_file_that_everybody_may_write_is_refused(file):
    file.chmod(0o666)

    with pytest.raises(ConfigError, match="writable by everybody"):
        Users(file)


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "x" * 65])
def test_name_that_a_line_cannot_hold_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="NAME must be"):
        add_user(tmp_path / "users", name, PASSWORD, "reader")
    assert not [*tmp_path.iterdir()]


def test_short_password_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 12 characters; got 5"):
        add_user(tmp_path / "users", "ann", "short", "reader")


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "users").write_text("# nobody\n", "utf-8")

    with pytest.raises(ConfigError, match="holds nobody"):
        Users(tmp_path / "users")
