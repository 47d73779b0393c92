"""Load TensorFlow once, quietly, with the settings the program relies on.

Imported before anything that imports TensorFlow or Keras.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import Interrupted

__all__: list[str] = []

# Read when the libraries load: the one backend the program is written for, and no log noise.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _native_stderr_held_back() -> Iterator[None]:
    """Hold back what native code writes on stderr; show it after all if the body fails."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield  # no real stderr to hold back
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not _is_interruption(error):
                os.dup2(saved, 2)
                held.seek(0)
                os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _is_interruption(error: BaseException | None) -> bool:
    """Say whether a signal is behind an error: import machinery may wrap what it raised."""
    while error is not None:
        if isinstance(error, Interrupted | KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


with _native_stderr_held_back():
    # Before its logging is set up, TensorFlow reports missing GPU drivers whatever the level.
    import tensorflow

    tensorflow.config.list_physical_devices()

# A program a shape is how trials of several shapes are meant to run: no warning about retracing.
tensorflow.get_logger().setLevel("ERROR")
