from __future__ import annotations

import os
import signal

import pytest

from tuner.cli.signals import interrupting_signals
from tuner.errors import Interrupted


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_server_that_ends_itself_quietly_still_tells_the_signal(number, code):
    def serve():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            return  # as waitress does

    with pytest.raises(Interrupted) as caught, interrupting_signals():
        serve()

    assert caught.value.exit_code == code


def test_without_a_signal_nothing_is_raised_and_the_old_handlers_are_back():
    before = signal.getsignal(signal.SIGTERM)

    with interrupting_signals():
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(2)])
def test_noise_of_native_code_stays_hidden_when_a_signal_ends_the_loading(capfd, error):
    from tuner.models.runtime import _native_stderr_held_back

    with pytest.raises(type(error)), _native_stderr_held_back():
        os.write(2, b"cuda noise\n")
        raise error

    assert capfd.readouterr().err == ""


def test_what_native_code_said_is_shown_when_the_loading_fails(capfd):
    from tuner.models.runtime import _native_stderr_held_back

    with pytest.raises(ImportError), _native_stderr_held_back():
        os.write(2, b"no such symbol\n")
        raise ImportError

    assert capfd.readouterr().err == "no such symbol\n"


def test_tensorflow_does_not_warn_of_a_program_for_each_shape():
    import logging

    import tuner.models.runtime  # noqa: F401 - loads TensorFlow with our settings

    assert not logging.getLogger("tensorflow").isEnabledFor(logging.WARNING)
