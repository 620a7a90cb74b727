"""A study: its runs, what each of its names refers to, and where every artifact lies."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from valuedrift.config.chat import ChatConfig, ChatJob
from valuedrift.config.drift import Side
from valuedrift.config.models import ModelConfig
from valuedrift.config.study import StudyConfig
from valuedrift.io.row_files import is_local
from valuedrift.study.lineage import Run, resolve

HUB = PurePosixPath("results/hub")
"""Downloads, which all studies share."""
REPLICATE = "replicate/"
"""Folder inside a run's, of the second sampling of its first and last checkpoint."""
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
MADE = {"prompts.csv", "base", "judge", "benchmark.jsonl"} | {
    f"{name}.jsonl" for name in ("wildchat", "alpaca", "ultrafeedback", "synthetic")
}
"""What the miniature makes in its folder, next to `pretraining/<percent>`, checkpoints of the base model's training."""


class Study:
    """A config with its runs resolved; raises UserError where the blocks of `runs` contradict each other."""

    def __init__(self, config: StudyConfig) -> None:
        self.config = config
        self.folder = PurePosixPath("results") / config.study
        self.runs = resolve(config)

    # --- runs ---

    @property
    def judge(self) -> str:
        """The study's own judge: the first where the config names none."""
        return self.config.judge or next(iter(self.config.judges))

    @property
    def categories(self) -> list[str]:
        """The categories, in alphabetical order as in the paper's tables."""
        return sorted(self.config.prompts.categories)

    @cached_property
    def models(self) -> dict[str, ModelConfig]:
        """Settings of every model by name, those of external checkpoints among them."""
        return {**self.config.models, **{name: external.model for name, external in self.config.external.items()}}

    @cached_property
    def mixtures(self) -> dict[str, tuple[str, float]]:
        """Name of a mixture's table → key of its block and share."""
        return {n: (key, share) for key, block in self.config.mixtures.items() for n, share in block.names(key).items()}

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that a run trains on, with those that a mixture is made of."""
        used = {run.dataset for run in self.runs.values() if run.dataset}
        mixed = [self.config.mixtures[self.mixtures[name][0]] for name in used & self.mixtures.keys()]
        return sorted(used | {part for mixture in mixed for part in (mixture.gap, mixture.rest)})

    @property
    def sft_sets(self) -> list[str]:
        """Names of the datasets that SFT trains on."""
        return [name for name, dataset in self.config.datasets.items() if not dataset.is_preference]

    @property
    def preference_sets(self) -> list[str]:
        """Names of the datasets of preference pairs, without mixtures."""
        return [name for name, dataset in self.config.datasets.items() if dataset.is_preference]

    def tables(self, kind: str) -> list[str]:
        """Return the names of the tables of a kind."""
        return [name for name, block in self.config.tables.items() if block.kind == kind]

    def figures(self, kind: str) -> list[str]:
        """Return the names of the figures of a kind."""
        return [name for name, block in self.config.figures.items() if block.kind == kind]

    def folder_of(self, run: str) -> str:
        """Return the folder of a run's artifacts."""
        return str(self.folder / "runs" / run)

    def of(self, *algorithms: str) -> list[Run]:
        """Return the runs of these algorithms, parents before children."""
        return [run for run in self.runs.values() if run.algorithm in algorithms]

    def ids(self, *algorithms: str) -> list[str]:
        """Return the ids of the runs of these algorithms, parents before children."""
        return [run.id for run in self.of(*algorithms)]

    @property
    def drifting(self) -> list[str]:
        """Ids of the runs that have a trajectory: all but base models."""
        return [run.id for run in self.runs.values() if run.algorithm != "base"]

    @property
    def drifts(self) -> list[str]:
        """Ids under which there are drifts: of the runs that have a trajectory, and of those whose seeds are pooled."""
        return [*self.drifting, *self.pooled]

    @property
    def counted_drifts(self) -> list[str]:
        """The same without the single seeds of what is pooled, so that no training counts twice."""
        return list(dict.fromkeys(self.shown(self.runs[run].plain) for run in self.drifting))

    @cached_property
    def pooled(self) -> dict[str, list[str]]:
        """Id under which a run's seeds are pooled → the ids of its replicates, for each run with several seeds."""
        by_run = {run.plain: self.replicates(run.plain) for run in self.runs.values()}
        return {f"{plain}-seeds": replicates for plain, replicates in by_run.items() if len(replicates) > 1}

    def shown(self, run: str) -> str:
        """Return the id under which tables and figures look for a run: that of its seeds where it has several."""
        return f"{run}-seeds" if f"{run}-seeds" in self.pooled else run

    def replicates(self, run: str) -> list[str]:
        """Return the ids of the run under each of its seeds; of the run alone where there is one seed."""
        return [r.id for r in self.runs.values() if r.plain == run] or [run]

    def contrasted(self, name: str) -> dict[str, tuple[list[Side], list[Side]]]:
        """Return heading → both sides of a contrast, under each seed that both have, or under the first of each."""
        return {heading: self._shared(*sides) for heading, sides in self.config.contrasts[name].sides(self.judge).items()}

    def _shared(self, first: Side, second: Side) -> tuple[list[Side], list[Side]]:
        one, other = ({self.runs[run].seed: run for run in self.replicates(side.run)} for side in (first, second))
        seeds = [seed for seed in one if seed in other]
        if not seeds:
            return [first], [second]
        return [Side(run=one[s], judge=first.judge) for s in seeds], [Side(run=other[s], judge=second.judge) for s in seeds]

    def with_replicates(self, runs: Iterable[str]) -> list[str]:
        """Return the ids of the runs and of their replicates, each once."""
        return list(dict.fromkeys(replicate for run in runs for replicate in self.replicates(run)))

    def lineages(self, runs: Iterable[str]) -> list[str]:
        """Return the ids of the runs' lineages and their replicates, each once: what a figure of the runs shows."""
        return list(dict.fromkeys(r.id for run in self.with_replicates(runs) for r in self.runs[run].lineage))

    @property
    def samplings(self) -> list[str]:
        """Folders inside a run's, each with the slash at its end, that hold its samplings: "" for its own."""
        return ["", REPLICATE] if self.config.generation.replicates > 1 else [""]

    @property
    def benchmarked(self) -> list[str]:
        """Ids of the runs that a table of benchmarks shows, with their replicates."""
        shown = [block.runs().values() for block in self.config.tables.values() if block.kind == "downstream"]
        return self.with_replicates(run for runs in shown for run in runs)

    @cached_property
    def rewards(self) -> dict[str, Run]:
        """Reward model id → a PPO run that uses it."""
        return {run.reward: run for run in reversed(self.runs.values()) if run.needs_reward}

    def chat(self, name: str) -> ChatJob:
        """Return a chat model, its server's command with the folder of the model's download filled in."""
        chat = self.config.chats[name]
        return ChatJob(**chat.model_dump() | {"server": self._command(chat)}, name=name, spending=f"{self.folder}/spending")

    def _command(self, chat: ChatConfig) -> list[str] | None:
        if not chat.is_downloaded or chat.server is None:
            return chat.server
        folder = self.model_at(chat.model, chat.revision)
        return [part.replace("{folder}", folder) for part in chat.server]

    # --- paths ---

    def here(self, path: str) -> str:
        """Return a path of the config with {study} filled in."""
        return path.replace("{study}", self.config.study)

    def dataset_at(self, path: str, revision: str | None) -> str:
        """Return where a dataset's rows are: its file or folder, or the folder of its download."""
        path = self.here(path)
        return path if is_local(path) else hub_folder("datasets", path, revision)

    def model_at(self, path: str, revision: str | None) -> str:
        """Return the folder of a model: that of its download where it comes from the hub."""
        path = self.here(path)
        return hub_folder("models", path, revision) if self.is_on_hub(path) else path

    @property
    def appendices(self) -> list[str]:
        """Paths of the report's further tables."""
        return [self.here(appendix.table) for appendix in self.config.report.appendices]

    @property
    def pictures(self) -> list[str]:
        """Paths of the picture of all drifts; none for a study without drift."""
        return [f"{self.folder}/verdicts.png"] if self.drifting else []

    @property
    def noise(self) -> list[str]:
        """Path of the table of differences between two samplings; none for a study that samples once."""
        return [f"{self.folder}/noise.parquet"] if len(self.samplings) > 1 else []

    @property
    def scorecard_pages(self) -> list[str]:
        """Paths of the scorecard's files; none for a study without a scorecard."""
        return [f"{self.folder}/scorecard.{kind}" for kind in ("csv", "html")] if self.config.scorecard else []

    @property
    def judges_pages(self) -> list[str]:
        """Paths of the comparison of judges; none for a study with one judge."""
        return [f"{self.folder}/judges.{kind}" for kind in ("csv", "html")] if len(self.config.judges) > 1 else []

    @property
    def order_checked(self) -> list[str]:
        """Names of the judges of which some answers are asked in all orders of the options."""
        return [name for name, judge in self.config.judges.items() if judge.is_order_checked]

    @cached_property
    def hub_models(self) -> dict[str, tuple[str, str]]:
        """Folder → name and commit of each model that comes from the hub."""
        return {self.model_at(p, r): (p, r or "") for _, p, r in self.model_paths() if self.is_on_hub(self.here(p))}

    @cached_property
    def hub_datasets(self) -> dict[str, tuple[str, str]]:
        """Folder → name and commit of each dataset that comes from the hub."""
        return {self.dataset_at(p, r): (p, r or "") for _, p, r in self.dataset_paths() if not is_local(self.here(p))}

    def dataset_paths(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield key, path and revision of every dataset."""
        for name, dataset in self.config.datasets.items():
            yield f"datasets.{name}", dataset.path, dataset.revision
        yield "prompts.source", self.config.prompts.source.path, self.config.prompts.source.revision

    def model_paths(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield key, path and revision of every model."""
        for name, model in self.config.models.items():
            yield f"models.{name}", model.path, model.revision
        for name, external in self.config.external.items():
            for step in external.checkpoints:
                yield f"external.{name}.checkpoints.{step}", *external.source(step)
        for name, judge in self.config.judges.items():
            if judge.path:
                yield f"judges.{name}", judge.path, judge.revision
        for name, chat in self.config.chats.items():
            if chat.is_downloaded:
                yield f"chats.{name}", chat.model, chat.revision
        for key, block in (("prompts", self.config.prompts), ("synthetic", self.config.synthetic)):
            if block:
                yield f"{key}.embedding", block.embedding.model, block.embedding.revision

    def is_on_hub(self, path: str) -> bool:
        """Return True for owner/name of a model on the hub: not a folder here, nor one that the workflow makes."""
        return HUB_NAME.fullmatch(path) is not None and not self.is_made(path) and not Path(path).is_dir()

    def is_made(self, path: str) -> bool:
        """Return True for a file or folder that the workflow makes: of the built-in world, or the synthetic pairs."""
        if self.config.synthetic and path == f"{self.folder}/synthetic/pairs.parquet":
            return True
        world = self.config.miniature
        if world is None:
            return False
        made, folder = PurePosixPath(path), PurePosixPath(world.folder)
        return made in {folder / name for name in MADE} or made.parent == folder / "pretraining"


def hub_folder(kind: str, name: str, revision: str | None) -> str:
    """Return the folder of a download; a new commit is a new folder."""
    return str(HUB / kind / name.replace("/", "--") / str(revision))


def pattern(names: Iterable[str]) -> str:
    """Return a wildcard constraint that matches exactly these names, and nothing where there are none."""
    return "|".join(re.escape(name) for name in names) or "(?!)"
