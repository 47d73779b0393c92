"""What a study compares when it goes on."""

from __future__ import annotations

import optuna
import pytest

from tuner.config import load_settings
from tuner.errors import ConfigError
from tuner.search.identity import write_or_compare

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def compare():
    """Makes or continues one study, with the digest of its checkpoint as it is now."""
    study = optuna.create_study(study_name="s", direction="maximize")
    settings = load_settings()

    def opened(digest):
        contents = {} if digest is None else {"model.backbone=e5-small": digest}
        write_or_compare(study, settings, "f" * 64, contents)

    return opened


def test_another_checkpoint_of_the_same_name_is_refused_with_both_digests(compare):
    compare(OLD)
    compare(OLD)

    with pytest.raises(ConfigError) as caught:
        compare(NEW)

    assert str(caught.value) == (
        "--study-name 's' was made with other files: the digest of model.backbone=e5-small "
        "is aaaaaaaaaaaa… there, bbbbbbbbbbbb… here; put the old ones back, or choose another "
        "--study-name."
    )


def test_a_study_made_before_digests_were_kept_takes_the_first_it_meets(compare):
    compare(None)
    compare(OLD)

    with pytest.raises(ConfigError, match="other files"):
        compare(NEW)
