"""One file per backbone; the file's name is the backbone's. See `tuner.models.registry`."""

from tuner.models import runtime as _runtime  # noqa: F401 - before any backbone loads Keras
