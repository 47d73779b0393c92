"""Sections from the table to ids: data, split, preprocess, features."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tuner.config.section import Section

__all__ = [
    "DataSettings",
    "FeatureSettings",
    "PreprocessSettings",
    "SplitSettings",
]


class DataSettings(Section):
    """Where the labelled texts come from and how rows are read."""

    path: str | None = None
    """File, folder with one subfolder a class, or a SQLAlchemy URL (then `query` is needed)."""
    query: str | None = None
    validation: str | None = None
    """Ready-made validation file; selection is then still cut from train."""
    test: str | None = None
    """Ready-made test file; it is sealed as it stands."""
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "xlsx"] = "auto"
    sheet: str | None = None
    """Sheet of an Excel workbook; None for the first one."""
    text: tuple[str, ...] = ()
    """Text columns, joined by a blank in this order; () picks the usual name."""
    label: str | None = None
    duplicates: Literal["keep", "drop"] = "keep"
    """Copies of one text under one label: keep them (always on one side) or keep the first."""
    merge_labels: bool = True
    """Take labels that differ by case or blanks only as one, in the commonest spelling."""

    @field_validator("text", mode="before")
    @classmethod
    def _accept_one_column(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("sheet", mode="before")
    @classmethod
    def _accept_a_number(cls, value: Any) -> Any:
        return str(value) if type(value) is int else value  # a sheet called 2024

    @field_validator("path", "query", "validation", "test", "sheet", "label", "text")
    @classmethod
    def _refuse_nothing(cls, value: Any) -> Any:
        texts = value if isinstance(value, tuple) else (value,)
        if any(text is not None and not text.strip() for text in texts):
            raise ValueError("an empty value names nothing; leave the setting out instead; got ''")
        return value


class SplitSettings(Section):
    """Shares of the four parts; train gets the rest."""

    validation: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.15
    selection: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.10
    test: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.15
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Apart from the study seed: studies with several seeds are compared on one split."""
    near_duplicates: bool = True
    """Group texts with a Jaccard similarity of 0.9 or more, so that none straddles the split."""

    @model_validator(mode="after")
    def _leave_room_for_train(self) -> SplitSettings:
        held_out = self.validation + self.selection + self.test
        if held_out > 0.8:
            raise ValueError(
                "validation + selection + test must leave at least 0.2 for train; "
                f"they add up to {held_out:g}"
            )
        return self


class PreprocessSettings(Section):
    """Cleaning and segmentation; stateless, so nothing is learnt from any part."""

    html: Literal["strip", "keep"] = "strip"
    lower_case: bool = True
    punctuation: Literal["remove", "keep"] = "remove"
    mask_urls: bool = False
    mask_emails: bool = False
    mask_numbers: bool = False
    stop_words: str = "none"
    """`none`, `zh`, `en`, `zh+en`, or a file with one word a line."""
    segmenter: Literal["auto", "jieba", "jieba_search", "characters", "words"] = "auto"
    dictionary: str | None = None
    """jieba user dictionary, one `word [frequency [tag]]` a line, UTF-8."""


class FeatureSettings(Section):
    """How tokens become ids; everything is fitted on train alone."""

    vocabulary_size: Annotated[int, Field(ge=3, le=5_000_000)] = 50_000
    """With `[PAD]` and `[UNK]`; the most frequent train tokens win."""
    min_count: Annotated[int, Field(ge=1)] = 1
    ngrams: Literal["auto", "1", "2", "3", "4"] = "auto"
    """Longest run of tokens that is a feature; `auto`: 1 where the backbone reads order, else 2
    words or 4 characters."""
    subwords: str = "auto"
    """Pieces of words that are features besides, `none` or shortest-longest in characters, such as
    `3-4`; `auto`: `3-4` where `linear` reads short texts of words and has few to learn from."""
    ngram_min_count: Annotated[int, Field(ge=1)] = 2
    length_percentile: Annotated[float, Field(gt=0, le=100)] = 99.0
    """Texts are cut at this percentile of the train lengths."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 640
    """Upper bound on that length, in tokens."""

    @model_validator(mode="before")
    @classmethod
    def _accept_whole_numbers(cls, values: Any) -> Any:
        if isinstance(values, dict) and type(values.get("ngrams")) is int:
            return {**values, "ngrams": str(values["ngrams"])}
        return values

    @field_validator("subwords", mode="before")
    @classmethod
    def _be_kinds_of_pieces(cls, value: Any) -> Any:
        pieces = {f"{low}-{high}" for low in range(2, 9) for high in range(low, 9)}
        if value not in {"auto", "none", *pieces}:
            raise ValueError(
                "must be auto, none, or the shortest and the longest piece in characters, "
                f"2 to 8, such as 3-4; got {value!r}"
            )
        return value
