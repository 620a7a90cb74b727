"""The whole config of a study, and its reading: whatever is wrong with it ends in one line that names the key."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError

from valuedrift.config.base import Closed, Name
from valuedrift.config.measuring import DriftConfig, GenerationConfig, JudgeConfig, ValuesConfig
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.config.prompts import PromptsConfig
from valuedrift.config.report import FigureConfig, ReportConfig, StyleConfig, TableConfig
from valuedrift.config.training import DatasetConfig, ModelConfig, RunsConfig, Training
from valuedrift.errors import UserError


class StudyConfig(Closed):
    """A study: what is trained on what, how it is measured, and what is shown of it."""

    study: Name
    """Name of the study; its results lie in results/<study>/."""
    description: str = ""
    """A word on the study for the readers of its report."""
    seed: int = 0
    """Seed of everything that is drawn."""
    miniature: MiniatureConfig | None = None
    """Settings of the built-in world; only for studies that run on it."""
    models: Annotated[dict[Name, ModelConfig], Field(min_length=1)]
    """Base models by name."""
    datasets: dict[Name, DatasetConfig] = {}
    """SFT sets and preference sets by name."""
    training: Training = Training()
    """Hyperparameters of each kind of training; `set` in a block of runs overrides them."""
    runs: list[RunsConfig] = []
    """Which runs there are: each block is a product of names."""
    prompts: PromptsConfig
    """How the evaluation prompts are curated."""
    generation: GenerationConfig = GenerationConfig()
    """How responses are sampled."""
    judges: Annotated[dict[Name, JudgeConfig], Field(min_length=1)]
    """Judges by name; the first is the study's own."""
    values: ValuesConfig = ValuesConfig()
    """How stances become values."""
    drift: DriftConfig = DriftConfig()
    """How values become drift magnitudes and drift times."""
    tables: dict[Name, TableConfig] = {}
    """Drift tables by name."""
    figures: dict[Name, FigureConfig] = {}
    """Stance trajectories by name."""
    style: StyleConfig = StyleConfig()
    """Look of the figures."""
    report: ReportConfig = ReportConfig()
    """Contents of report.html."""


def load_study_config(values: Mapping[str, Any]) -> StudyConfig:
    """Check a parsed config file; raises UserError with one line for the first thing that is wrong."""
    try:
        return StudyConfig.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(explain(error, StudyConfig)) from None


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One line for the first error: the key, what is wrong, and the nearest valid key where the key is unknown."""
    # An unknown key is often the cause of a missing one, so it is named first.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location = [part for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
    key = prefix + ".".join(map(str, location))
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        return f"config: unknown key `{key}`{nearest(str(location[-1]), known)}"
    if first["type"] == "missing":
        return f"config: the key `{key}` is missing"
    given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
    return f"config: `{key}`: {first['msg'].removeprefix('Value error, ')}{given}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or the names that there are."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known) or 'none'}"


def _fields_at(model: Any, location: list[int | str]) -> list[str]:
    """Names of the fields of the model that lies at `location` inside `model`."""
    for part in location:
        model = _inner(model, part)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _inner(kind: Any, part: int | str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        kind = kind.model_fields[str(part)].annotation
    elif get_origin(kind) in (dict, list):
        kind = get_args(kind)[-1]
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        kind = next((k for k in get_args(kind) if isinstance(k, type) and issubclass(k, BaseModel)), kind)
    return kind
