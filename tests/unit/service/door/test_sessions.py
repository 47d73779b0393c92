from tuner.service.door.sessions import (
    ADDRESS_FAILURES_MAX,
    FAILURE_SECONDS,
    FAILURES_MAX,
    SESSION_SECONDS,
    FailedLogins,
    Sessions,
)
from tuner.service.door.users import User

ANN = User("ann", "reader", "hash")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_session_is_found_by_its_token_until_it_is_closed():
    sessions = Sessions()
    token = sessions.open(ANN)

    assert sessions.find(token) == ANN
    assert sessions.find(token + "x") is None
    sessions.close(token)
    assert sessions.find(token) is None


def test_session_ends_by_itself():
    clock = Clock()
    sessions = Sessions(clock)
    token = sessions.open(ANN)

    clock.now = SESSION_SECONDS - 1
    assert sessions.find(token) == ANN
    clock.now = SESSION_SECONDS
    assert sessions.find(token) is None


def test_memory_holds_no_token():
    sessions = Sessions()
    token = sessions.open(ANN)

    assert token not in repr(sessions._sessions)


def test_name_waits_after_too_many_wrong_logins_and_no_other_name_or_address_does():
    clock = Clock()
    failures = FailedLogins(clock)
    for _ in range(FAILURES_MAX):
        assert failures.seconds_to_wait("10.0.0.1", "ann") == 0
        failures.note("10.0.0.1", "ann")

    assert failures.seconds_to_wait("10.0.0.1", "ann") == FAILURE_SECONDS + 1
    assert failures.seconds_to_wait("10.0.0.1", "bob") == 0
    assert failures.seconds_to_wait("10.0.0.2", "ann") == 0
    clock.now = FAILURE_SECONDS
    assert failures.seconds_to_wait("10.0.0.1", "ann") == 0


def test_address_that_guesses_at_many_names_waits_under_all_of_them():
    clock = Clock()
    failures = FailedLogins(clock)
    for number in range(ADDRESS_FAILURES_MAX):
        assert failures.seconds_to_wait("10.0.0.1", "ann") == 0
        failures.note("10.0.0.1", f"name {number}")

    assert failures.seconds_to_wait("10.0.0.1", "ann") == FAILURE_SECONDS + 1
    assert failures.seconds_to_wait("10.0.0.2", "ann") == 0
    clock.now = FAILURE_SECONDS
    assert failures.seconds_to_wait("10.0.0.1", "ann") == 0


def test_right_login_forgets_the_wrong_ones_of_its_name():
    failures = FailedLogins()
    for _ in range(FAILURES_MAX):
        failures.note("10.0.0.1", "ann")
        failures.note("10.0.0.1", "bob")

    failures.forget("10.0.0.1", "ann")

    assert failures.seconds_to_wait("10.0.0.1", "ann") == 0
    assert failures.seconds_to_wait("10.0.0.1", "bob") > 0


def test_right_logins_in_between_do_not_let_an_address_guess_for_ever():
    failures = FailedLogins()
    for number in range(ADDRESS_FAILURES_MAX):
        failures.note("10.0.0.1", f"name {number}")
        failures.forget("10.0.0.1", "bob")

    assert failures.seconds_to_wait("10.0.0.1", "ann") > 0
