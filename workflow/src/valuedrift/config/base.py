"""The base class of all config models and the types that they share."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that becomes part of a path: letters, digits, dot, underscore, hyphen."""
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Category = str
Stance = Literal["support", "neutral", "oppose"]
STANCES: tuple[Stance, ...] = ("support", "neutral", "oppose")


class Closed(BaseModel):
    """An immutable model that rejects unknown keys; the docstring of a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def canonical(self) -> str:
        """Return the model as JSON with sorted keys, so that equal configs give equal strings."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)
