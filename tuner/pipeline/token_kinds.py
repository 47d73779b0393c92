"""Which runs of tokens and which pieces of words are features."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.config import PreprocessSettings, Settings
from tuner.features import SubwordLengths
from tuner.models import backbone_class

__all__ = ["TokenKinds", "resolve_kinds"]

SUBWORDS = "3-4"
SUBWORDS_BELOW = 50_000  # train texts; docs/backbones.md has the figures
MEAN_LENGTH_MAX = 300  # characters; longer texts would be cut for their pieces


@dataclass(frozen=True, slots=True)
class TokenKinds:
    """The longest run of tokens that is a feature, and which pieces of words are, if any."""

    ngrams: int
    subwords: SubwordLengths | None


def resolve_kinds(
    settings: Settings, preprocess: PreprocessSettings, *, n_texts: int, mean_length: float
) -> TokenKinds:
    """Decide what the settings leave to `auto`.

    Parameters
    ----------
    preprocess
        With a resolved segmenter.
    n_texts, mean_length
        How many train texts there are, and their mean length in characters.
    """
    reads_order = backbone_class(settings.model.backbone).USES_ORDER
    runs: str
    runs, pieces = settings.features.ngrams, settings.features.subwords
    few = n_texts < SUBWORDS_BELOW and mean_length <= MEAN_LENGTH_MAX
    if runs == "auto":
        runs = _longest_run(preprocess, reads_order=reads_order)
    if pieces == "auto":
        is_worth_it = (
            few and settings.model.backbone == "linear" and preprocess.segmenter == "words"
        )
        pieces = SUBWORDS if is_worth_it else "none"
    return TokenKinds(int(runs), None if reads_order else _lengths(pieces))


def _longest_run(preprocess: PreprocessSettings, *, reads_order: bool) -> str:
    """Give the longest n-gram; for characters four, which is a Chinese word or two."""
    if reads_order:
        return "1"
    return "4" if preprocess.segmenter == "characters" else "2"


def _lengths(subwords: str) -> SubwordLengths | None:
    if subwords == "none":
        return None
    shortest, longest = map(int, subwords.split("-"))
    return shortest, longest
