"""A study: its runs, what each of its names refers to, and where every artifact lies."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.config.chat import ChatConfig, ChatJob
from valuedrift.config.models import ModelConfig
from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.config.study import StudyConfig
from valuedrift.io.records import is_local
from valuedrift.study.lineage import Run, resolve

HUB = PurePosixPath("results/hub")
"""Downloads, which all studies share."""
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
MADE = {"prompts.csv", "base", "judge", "benchmark.jsonl"} | {
    f"{name}.jsonl" for name in ("wildchat", "alpaca", "ultrafeedback", "synthetic")
}
"""What the miniature makes in its folder; besides `pretraining/<percent>`, checkpoints of the base model's training."""


class Study:
    """A config with its runs resolved; raises UserError where these contradict themselves."""

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

    def folder_of(self, run: str) -> str:
        """Folder of a run's artifacts."""
        return str(self.folder / "runs" / run)

    def of(self, *algorithms: str) -> list[Run]:
        """The runs of these algorithms, parents before children."""
        return [run for run in self.runs.values() if run.algorithm in algorithms]

    @property
    def drifting(self) -> list[str]:
        """Ids of the runs that have a trajectory: all but base models."""
        return [run.id for run in self.runs.values() if run.algorithm != "base"]

    def replicates(self, run: str) -> list[str]:
        """Ids of the run under each of its seeds, itself alone where there is one."""
        return [r.id for r in self.runs.values() if r.plain == run] or [run]

    def with_replicates(self, runs: Iterable[str]) -> list[str]:
        """Ids of the runs and of their replicates, each once."""
        return list(dict.fromkeys(replicate for run in runs for replicate in self.replicates(run)))

    def lineages(self, runs: Iterable[str]) -> list[str]:
        """Ids of the runs' lineages, replicates too, each once: what a figure of the runs shows."""
        return list(dict.fromkeys(r.id for run in self.with_replicates(runs) for r in self.runs[run].lineage))

    @property
    def benchmarked(self) -> list[str]:
        """Ids of the runs that a table of benchmarks shows, with their replicates."""
        shown = [block.runs().values() for block in self.config.tables.values() if block.kind == "downstream"]
        return self.with_replicates(run for runs in shown for run in runs)

    @cached_property
    def rewards(self) -> dict[str, Run]:
        """Reward model id → a run that is optimized against it."""
        against = self.of(*(name for name, row in ALGORITHMS.items() if row.needs_reward))
        return {run.reward: run for run in reversed(against)}

    @staticmethod
    def pattern(names: Iterable[str]) -> str:
        """A wildcard constraint that matches exactly these names, and nothing where there are none."""
        return "|".join(re.escape(name) for name in names) or "(?!)"

    # --- places ---

    def here(self, path: str) -> str:
        """A path of the config with {study} filled in."""
        return path.replace("{study}", self.config.study)

    def dataset_at(self, path: str, revision: str | None) -> str:
        """Where a dataset's rows lie: its file, or the folder of its download."""
        path = self.here(path)
        return path if is_local(path) else hub_folder("datasets", path, revision)

    def dataset_inputs(self, path: str, revision: str | None) -> list[str]:
        """What a rule that reads a dataset depends on: its file, the files of its folder, or the folder of its download."""
        place = Path(self.dataset_at(path, revision))
        own = is_local(self.here(path)) and place.is_dir()
        return sorted(str(file) for file in place.rglob("*") if file.is_file()) if own else [str(place)]

    def model_at(self, path: str, revision: str | None) -> str:
        """Folder of a model, of its download where it comes from the hub."""
        path = self.here(path)
        return hub_folder("models", path, revision) if self.is_on_hub(path) else path

    def model_inputs(self, path: str, revision: str | None) -> list[str]:
        """What a rule that reads a model depends on: the folder if a rule makes it, else its files.

        Files, because a folder's own time of change does not show that a file in it was replaced.
        """
        folder = self.model_at(path, revision)
        if self.is_made(folder) or self.is_on_hub(self.here(path)):
            return [folder]
        return sorted(str(file) for file in Path(folder).rglob("*") if file.is_file()) if Path(folder).is_dir() else []

    def encoder_inputs(self, embedding: EmbeddingConfig) -> list[str]:
        """What a rule that embeds texts depends on."""
        return self.model_inputs(embedding.model, embedding.revision)

    def chat(self, name: str) -> ChatJob:
        """A chat model with the folder of its download in its server's command."""
        chat = self.config.chats[name]
        return ChatJob(**chat.model_dump() | {"server": self._command(chat)}, name=name, spending=f"{self.folder}/spending")

    def _command(self, chat: ChatConfig) -> list[str] | None:
        if not chat.is_downloaded or chat.server is None:
            return chat.server
        folder = self.model_at(chat.model, chat.revision)
        return [part.replace("{folder}", folder) for part in chat.server]

    def chat_inputs(self, name: str | None) -> list[str]:
        """What a rule that asks a chat model depends on."""
        if name is None or not self.config.chats[name].is_downloaded:
            return []
        return self.model_inputs(self.config.chats[name].model, self.config.chats[name].revision)

    @property
    def appendices(self) -> list[str]:
        """Paths of the report's further tables."""
        return [self.here(appendix.table) for appendix in self.config.report.appendices]

    @cached_property
    def hub_models(self) -> dict[str, tuple[str, str]]:
        """Folder → name and commit of each model that comes from the hub."""
        return {self.model_at(p, r): (p, r or "") for _, p, r in self.model_paths() if self.is_on_hub(self.here(p))}

    @cached_property
    def hub_datasets(self) -> dict[str, tuple[str, str]]:
        """Folder → name and commit of each dataset that comes from the hub."""
        return {self.dataset_at(p, r): (p, r or "") for _, p, r in self.dataset_paths() if not is_local(self.here(p))}

    def dataset_paths(self) -> Iterator[tuple[str, str, str | None]]:
        """Key, path and revision of every dataset."""
        for name, dataset in self.config.datasets.items():
            yield f"datasets.{name}", dataset.path, dataset.revision
        yield "prompts.source", self.config.prompts.source.path, self.config.prompts.source.revision

    def model_paths(self) -> Iterator[tuple[str, str, str | None]]:
        """Key, path and revision of every model."""
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
        return HUB_NAME.fullmatch(path) is not None and not self.is_made(path) and not Path(path).is_dir()

    def is_made(self, path: str) -> bool:
        if self.config.synthetic and path == f"{self.folder}/synthetic/pairs.parquet":
            return True
        world = self.config.miniature
        if world is None:
            return False
        made, folder = PurePosixPath(path), PurePosixPath(world.folder)
        return made in {folder / name for name in MADE} or made.parent == folder / "pretraining"


def hub_folder(kind: str, name: str, revision: str | None) -> str:
    """Folder of a download: a new commit is a new folder."""
    return str(HUB / kind / name.replace("/", "--") / str(revision))
