"""The runs of a study: which there are, what each descends from, and where its artifacts lie."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import ValidationError

from valuedrift.config.study import StudyConfig, explain, nearest
from valuedrift.config.training import Algorithm, DatasetConfig, RunsConfig, TrainingConfig
from valuedrift.errors import UserError
from valuedrift.rows import is_local
from valuedrift.sources import function_sources

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
MADE = {"prompts.csv", "base", "judge", *(f"{name}.jsonl" for name in ("wildchat", "alpaca", "ultrafeedback", "synthetic"))}
"""What the miniature makes in its folder."""
RESERVED = {"base", "trajectory", "final", "stances"}
"""Names inside a run's folder, which its child runs share."""


@dataclass(frozen=True)
class Run:
    """One training run, or a base model as it came."""

    id: str
    """`<model>/base`, `<model>/<sft>`, `<parent>/<algorithm>-<dataset>[-<chosen>][-<label>]`: a name, never parsed."""
    model: str
    algorithm: Algorithm | Literal["base"]
    parent: "Run | None" = None
    dataset: str | None = None
    chosen: str | None = None
    training: TrainingConfig | None = None

    @property
    def phase(self) -> str:
        """base, sft or po (preference optimization)."""
        return self.algorithm if self.algorithm in ("base", "sft") else "po"

    @property
    def lineage(self) -> list["Run"]:
        """From the base model to this run."""
        return [*self.parent.lineage, self] if self.parent else [self]

    @property
    def reward(self) -> str:
        """Id of the reward model that PPO needs: one for each parent, preference set and labelling."""
        assert self.parent and self.dataset
        return f"{self.parent.id}/{'-'.join(filter(None, (self.dataset, self.chosen)))}"


class Study:
    """A checked config with its runs resolved; raises UserError where the config contradicts itself."""

    def __init__(self, config: StudyConfig) -> None:
        self.config = config
        self.folder = PurePosixPath("results") / config.study
        self.runs = _resolve(config)
        self._check_references()

    @property
    def judge(self) -> str:
        """The study's own judge: the first."""
        return next(iter(self.config.judges))

    @property
    def categories(self) -> list[str]:
        """The categories, in alphabetical order as in the paper's tables."""
        return sorted(self.config.prompts.categories)

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that a run trains on."""
        return sorted({run.dataset for run in self.runs.values() if run.dataset})

    def folder_of(self, run: str) -> str:
        """Folder of a run's artifacts."""
        return str(self.folder / "runs" / run)

    def shown(self, figure: str) -> list[str]:
        """Ids of the runs that a figure shows: the whole lineage of each panel, once."""
        panels = self.config.figures[figure].panels.values()
        return list(dict.fromkeys(run.id for panel in panels for run in self.runs[panel].lineage))

    @staticmethod
    def local_files(path: str) -> list[str]:
        """The path if it is a file's, nothing if it is a hub name: what a rule that reads it depends on."""
        return [path] if is_local(path) else []

    def local_folders(self, path: str) -> list[str]:
        """The folder if the miniature makes it, its files if it is here, nothing if it is a hub name: what a rule depends on.

        Files, because a folder's own time of change does not show that a file in it was replaced.
        """
        if self._is_made(path):
            return [path]
        return sorted(str(file) for file in Path(path).rglob("*") if file.is_file()) if Path(path).is_dir() else []

    @property
    def appendices(self) -> list[str]:
        """Paths of the report's further tables."""
        return [appendix.table.replace("{study}", self.config.study) for appendix in self.config.report.appendices]

    def check_files(self) -> None:
        """Raises UserError for a file or folder that neither exists nor is made by the workflow."""
        config = self.config
        files = {f"datasets.{name}.path": dataset.path for name, dataset in config.datasets.items()}
        for key, path in {**files, "prompts.source.path": config.prompts.source.path}.items():
            if is_local(path) and not Path(path).exists() and not self._is_made(path):
                raise UserError(f"config: `{key}`: there is no file {path}")
        models = {f"models.{name}.path": model.path for name, model in config.models.items()}
        judges = {f"judges.{name}.path": judge.path for name, judge in config.judges.items() if judge.path}
        for key, path in {**models, **judges}.items():
            if not HUB_NAME.fullmatch(path) and not self.local_folders(path):
                raise UserError(f"config: `{key}`: there is no folder {path}")
        for name, judge in config.judges.items():
            if judge.function and not function_sources(judge.function):
                raise UserError(f"config: `judges.{name}.function`: no module for {judge.function}; write `module:name`")

    def _is_made(self, path: str) -> bool:
        world = self.config.miniature
        return world is not None and PurePosixPath(path) in {PurePosixPath(world.folder) / name for name in MADE}

    def of(self, *algorithms: str) -> list[Run]:
        """The runs of these algorithms, parents before children."""
        return [run for run in self.runs.values() if run.algorithm in algorithms]

    @cached_property
    def rewards(self) -> dict[str, Run]:
        """Reward model id → a PPO run that uses it."""
        return {run.reward: run for run in reversed(self.of("ppo"))}

    @staticmethod
    def pattern(names: Iterable[str]) -> str:
        """A wildcard constraint that matches exactly these names, and nothing where there are none."""
        return "|".join(re.escape(name) for name in names) or "(?!)"

    def _check_references(self) -> None:
        config = self.config
        for kind, blocks in (("tables", config.tables), ("figures", config.figures)):
            for name, block in blocks.items():
                for run in block.runs().values():
                    _known(f"{kind}.{name}", "run", run, self.runs)
                    if kind == "tables" and self.runs[run].parent is None:
                        raise UserError(f"config: `{kind}.{name}`: {run} is a base model, which has no drift")
                if block.judge is not None:
                    _known(f"{kind}.{name}.judge", "judge", block.judge, config.judges)
        for name, table in config.tables.items():
            if table.categories == []:
                raise UserError(f"config: `tables.{name}.categories` is an empty list: name at least one")
            for category in table.categories or []:
                _known(f"tables.{name}.categories", "category", category, config.prompts.categories)
        for name, figure in config.figures.items():
            _known(f"figures.{name}.category", "category", figure.category, config.prompts.categories)


def _known(key: str, kind: str, name: str, known: Iterable[str]) -> None:
    if name not in set(known):
        raise UserError(f"config: `{key}`: unknown {kind} `{name}`{nearest(name, known)}")


def _resolve(config: StudyConfig) -> dict[str, Run]:
    """Every run by id, parents first; blocks may stand in any order."""
    for name in config.datasets:
        if name in RESERVED:
            raise UserError(f"config: `datasets.{name}`: this name is taken by a run's own folders; choose another")
    runs = {f"{model}/base": Run(f"{model}/base", model, "base") for model in config.models}
    origin = dict.fromkeys(runs, "models")
    waiting = [(f"runs.{i}", block, item) for i, block in enumerate(config.runs) for item in block.product()]
    while waiting:
        ready = [entry for entry in waiting if entry[2][0] in runs]
        if not ready:
            key, _, item = waiting[0]
            raise UserError(f"config: `{key}.parent`: unknown run `{item[0]}`{nearest(item[0], runs)}")
        for key, block, (parent, algorithm, data, chosen) in ready:
            _known(f"{key}.data", "dataset", data, config.datasets)
            _check_fit(key, algorithm, data, config.datasets[data], chosen)
            training = _training(config, key, block, algorithm)
            run = Run(_run_id(runs[parent], algorithm, data, chosen, block.label), runs[parent].model, algorithm,
                      runs[parent], data, chosen, training)  # fmt: skip
            if run.id in runs:
                raise UserError(f"config: `{key}` makes the run `{run.id}`, which `{origin[run.id]}` makes too; give one a `label`")
            runs[run.id], origin[run.id] = run, key
        waiting = [entry for entry in waiting if entry not in ready]
    return runs


def _run_id(parent: Run, algorithm: str, data: str, chosen: str | None, label: str | None) -> str:
    slug = "-".join(filter(None, (None if algorithm == "sft" else algorithm, data, chosen, label)))
    return f"{parent.model if parent.algorithm == 'base' else parent.id}/{slug}"


def _check_fit(key: str, algorithm: str, name: str, dataset: DatasetConfig, chosen: str | None) -> None:
    if dataset.is_preference == (algorithm == "sft"):
        kind = "preference pairs" if dataset.is_preference else "an SFT set"
        raise UserError(f"config: `{key}.data`: {algorithm} cannot train on `{name}`, which is {kind} ({dataset.format})")
    if (dataset.format == "synthetic") != (chosen is not None):
        wants = "needs `chosen: support` or `chosen: oppose`" if chosen is None else "takes no `chosen`: its pairs are labelled"
        raise UserError(f"config: `{key}`: the dataset `{name}` ({dataset.format}) {wants}")


def _training(config: StudyConfig, key: str, block: RunsConfig, algorithm: Algorithm) -> TrainingConfig:
    base: TrainingConfig = getattr(config.training, algorithm)
    try:
        return type(base).model_validate(base.model_dump() | block.set)
    except ValidationError as error:
        raise UserError(explain(error, type(base), prefix=f"{key}.set.")) from None
