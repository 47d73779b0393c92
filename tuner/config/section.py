"""What every section of the settings is, and the kinds of value they share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "NONE_WORD",
    "Fraction",
    "Penalty",
    "Scalar",
    "Section",
]

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Penalty = Annotated[float, Field(ge=0.0, le=1.0)]
Scalar = bool | int | float | str


def _none_of_its_word(value: Any) -> Any:
    return None if value == "none" else value


NONE_WORD = BeforeValidator(_none_of_its_word)
"""Of a setting that may be None: "none" is that too, since a choice of the space is a scalar."""


class Section(BaseModel):
    """A frozen section that refuses keys it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )
