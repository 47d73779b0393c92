"""What the tests of commands share."""

import logging

import pytest


@pytest.fixture
def logger():
    """The product's logger, afterwards as it was before."""
    logger = logging.getLogger("tuner")
    before = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before
