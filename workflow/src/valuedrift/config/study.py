"""The whole config of a study, and its reading: whatever is wrong with it ends in one line that names the key."""

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, Tag, ValidationError, model_validator

from valuedrift.config.base import Closed, Name, Seed
from valuedrift.config.chat import ChatConfig
from valuedrift.config.cluster import ClusterConfig
from valuedrift.config.downstream import DownstreamConfig
from valuedrift.config.human import HumanConfig
from valuedrift.config.judging import JudgeConfig
from valuedrift.config.measuring import DriftConfig, GenerationConfig, ValuesConfig
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.config.models import ExternalConfig, ModelConfig
from valuedrift.config.prompts import PromptsConfig
from valuedrift.config.report import FigureConfig, ReportConfig, StyleConfig, TableConfig
from valuedrift.config.scorecard import ScorecardConfig
from valuedrift.config.synthetic import SyntheticConfig
from valuedrift.config.training import DatasetConfig, MixtureConfig, RunsConfig, Training
from valuedrift.errors import UserError


class StudyConfig(Closed):
    """A study: what is trained on what, how it is measured, and what is shown of it."""

    study: Name
    """Name of the study; its results lie in results/<study>/."""
    description: str = ""
    """A word on the study for the readers of its report."""
    seed: Seed = 0
    """Seed of everything that is drawn."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds under which every run is trained; by default `seed` alone. Prompts, data and responses' seeds are the same."""
    miniature: MiniatureConfig | None = None
    """Settings of the built-in world; only for studies that run on it."""
    models: dict[Name, ModelConfig] = {}
    """Base models by name."""
    external: dict[Name, ExternalConfig] = {}
    """Checkpoints that somebody else trained, by name."""
    datasets: dict[Name, DatasetConfig] = {}
    """SFT sets and preference sets by name."""
    mixtures: dict[Name, MixtureConfig] = {}
    """Value-gap sweeps by name: preference sets mixed from two of the datasets."""
    chats: dict[Name, ChatConfig] = {}
    """Chat models by name, for curation, for synthetic preferences and as judges."""
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
    judge: Name | None = None
    """The judge that tables, figures and the scorecard show; the first of `judges` by default."""
    human: HumanConfig = HumanConfig()
    """The check of the judge against people."""
    values: ValuesConfig = ValuesConfig()
    """How stances become values."""
    drift: DriftConfig = DriftConfig()
    """How values become drift magnitudes and drift times."""
    synthetic: SyntheticConfig | None = None
    """Preferences with a value gap, written by a chat model: `results/{study}/synthetic/pairs.parquet`, a dataset's `path`."""
    downstream: DownstreamConfig = DownstreamConfig()
    """Benchmarks, for the runs that a table of them shows."""
    tables: dict[Name, TableConfig] = {}
    """Tables by name; drift tables where no `kind` is given."""
    figures: dict[Name, FigureConfig] = {}
    """Stance trajectories by name."""
    scorecard: ScorecardConfig | None = None
    """Printed values that the study's are compared with."""
    style: StyleConfig = StyleConfig()
    """Look of the figures."""
    report: ReportConfig = ReportConfig()
    """Contents of report.html."""
    cluster: ClusterConfig = ClusterConfig()
    """The machines that the study runs on."""
    allow_retrain: bool = False
    """Whether a step that needs a trajectory which `prune` deleted may train it anew; else the study stops and names the price."""

    @model_validator(mode="after")
    def _something_to_measure(self) -> "StudyConfig":
        if not self.models and not self.external:
            raise ValueError("give `models` or `external`: there is nothing to measure")
        if len(set(self.all_seeds)) < len(self.all_seeds):
            raise ValueError("`seeds` names one twice")
        return self

    @property
    def all_seeds(self) -> list[int]:
        """Seeds of the trainings; the first one's runs have the plain names."""
        return self.seeds or [self.seed]


def load_study_config(values: Mapping[str, Any]) -> StudyConfig:
    """Check a parsed config file; raises UserError with one line for the first thing that is wrong.

    A table or figure that is null is left out: so an overlay takes one away.
    """
    blocks = {key: {n: b for n, b in values[key].items() if b is not None} for key in ("tables", "figures") if values.get(key)}
    try:
        return StudyConfig.model_validate({**values, **blocks})
    except ValidationError as error:
        raise UserError(explain(error, StudyConfig)) from None


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One line for the first error: the key, what is wrong, and the nearest valid key where the key is unknown."""
    # An unknown key is often the cause of a missing one, so it is named first.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location = [str(part) for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
    if first["type"] == "extra_forbidden":
        *way, last = location
        keys, block = _follow(model, way)
        return f"config: unknown key `{prefix}{'.'.join([*keys, last])}`{nearest(last, _fields(block))}"
    key = prefix + ".".join(_follow(model, location)[0])
    if first["type"] == "missing":
        return f"config: the key `{key}` is missing"
    if first["type"] == "union_tag_invalid":
        tags = _members(_follow(model, location)[1])
        return f"config: `{key}.kind`: unknown kind `{first['ctx']['tag']}`{nearest(first['ctx']['tag'], tags)}"
    given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
    if not (key := key.rstrip(".")):
        return f"config: {first['msg'].removeprefix('Value error, ')}"
    return f"config: `{key}`: {first['msg'].removeprefix('Value error, ')}{given}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or the names that there are."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known) or 'none'}"


def _follow(kind: Any, location: list[str]) -> tuple[list[str], Any]:
    """The keys on the way to a location inside `kind`, and what is there: pydantic's names for a union's members are no keys."""
    keys = []
    for part in location:
        members = _members(kind)
        if part in members:
            kind = members[part]
        else:
            keys.append(part)
            kind = _inner(kind, part)
    return keys, kind


def _fields(kind: Any) -> list[str]:
    model = _model(kind)
    return list(model.model_fields) if model else []


def _inner(kind: Any, part: str) -> Any:
    """What lies under a key or an index."""
    if model := _model(kind):
        return model.model_fields[part].annotation if part in model.model_fields else None
    kind = _plain(kind)
    return get_args(kind)[-1] if get_origin(kind) in (dict, list) else kind


def _model(kind: Any) -> type[BaseModel] | None:
    """The model that `kind` is, or the first one where it is a union."""
    kinds = [_plain(kind), *_members(kind).values()]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _members(kind: Any) -> dict[str, Any]:
    """The members of a union by pydantic's names for them, a tag or the type's own; none where `kind` is something else."""
    kind = _plain(kind)
    if get_origin(kind) not in (Union, types.UnionType):
        return {}
    tags = {id(k): m.tag for k in get_args(kind) for m in getattr(k, "__metadata__", ()) if isinstance(m, Tag)}
    return {str(tags.get(id(k)) or getattr(_plain(k), "__name__", k)): _plain(k) for k in get_args(kind)}


def _plain(kind: Any) -> Any:
    """A type without its `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [k for k in get_args(kind) if k is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else kind
    return kind
