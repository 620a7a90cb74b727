"""What each rule reads, where that depends on the config: files and folders, relative to the working directory."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.io import ancient

from valuedrift.config.figures import AblationFigure, ForestFigure
from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.config.tables import ContrastTable, DriftTable, PairsTable, QualityTable, SamplesTable, SensitivityTable
from valuedrift.errors import UserError
from valuedrift.io.row_files import is_local
from valuedrift.io.source_files import PACKAGE, function_sources
from valuedrift.study.chats import chat_of
from valuedrift.study.study import Study


class Inputs:
    """Inputs of one study's rules."""

    def __init__(self, study: Study) -> None:
        self.study, self.config = study, study.config

    # --- models and datasets, made by a rule, downloaded, or here ---

    def dataset_files(self, path: str, revision: str | None) -> list[str]:
        """Return what a rule that reads a dataset depends on: its file, the files of its folder, or the folder of its download."""
        place = Path(self.study.dataset_at(path, revision))
        own = is_local(self.study.here(path)) and place.is_dir()
        return _files(place) if own else [str(place)]

    def model_files(self, path: str, revision: str | None) -> list[str]:
        """Return what a rule that reads a model depends on: the folder if a rule makes it, else its files.

        Files, because a folder's own modification time does not show that a file in it was replaced.
        """
        folder = self.study.model_at(path, revision)
        if self.study.is_made(folder) or self.study.is_on_hub(self.study.here(path)):
            return [folder]
        return _files(Path(folder)) if Path(folder).is_dir() else []

    def encoder(self, embedding: EmbeddingConfig) -> list[str]:
        """Return what a rule that embeds texts depends on."""
        return self.model_files(embedding.model, embedding.revision)

    def chat(self, rule: str, judge: str | None = None) -> list[str]:
        """Return the weights of the chat model that a job of the rule calls, if the job itself serves a download."""
        name = chat_of(self.study, rule, judge)
        if name is None or not self.config.chats[name].is_downloaded:
            return []
        return self.model_files(self.config.chats[name].model, self.config.chats[name].revision)

    # --- prompts ---

    def raw_prompts(self) -> list[str]:
        """Return the dataset that raw prompts are taken from."""
        return self.dataset_files(self.config.prompts.source.path, self.config.prompts.source.revision)

    def prompts_encoder(self) -> list[str]:
        """Return the encoder of curation."""
        return self.encoder(self.config.prompts.embedding)

    # --- data and synthetic preferences ---

    def dataset(self, name: str) -> list[str]:
        """Return the rows that a dataset of the config is read from."""
        dataset = self.config.datasets[name]
        return self.dataset_files(dataset.path, dataset.revision)

    def mixture_gap(self, name: str) -> str:
        """Return the table of synthetic pairs, which have a value gap, that a mixture is made of."""
        return self._data(self.config.mixtures[self.study.mixtures[name][0]].gap)

    def mixture_rest(self, name: str) -> str:
        """Return the table of the pairs with labels that a mixture is made of."""
        return self._data(self.config.mixtures[self.study.mixtures[name][0]].rest)

    def synthetic_encoder(self) -> list[str]:
        """Return the encoder of the similarity search; nothing for a study without synthetic preferences."""
        return self.encoder(self.config.synthetic.embedding) if self.config.synthetic else []

    def synthetic_sources(self) -> list[str]:
        """Return the preference sets whose prompts are searched; nothing for a study without synthetic preferences."""
        return [self._data(name) for name in self.config.synthetic.sources] if self.config.synthetic else []

    # --- training ---

    def base_model(self, run: str) -> list[str]:
        """Return the weights of a base model."""
        model = self.config.models[self.study.runs[run].model]
        return self.model_files(model.path, model.revision)

    def external_checkpoints(self, run: str) -> list[str]:
        """Return the checkpoints of a model that somebody else trained."""
        external = self.config.external[self.study.runs[run].model]
        return [file for step in external.checkpoints for file in self.model_files(*external.source(step))]

    def training_data(self, run: str) -> str:
        """Return the table that a run trains on."""
        return self._data(str(self.study.runs[run].dataset))

    def training_logs(self) -> list[str]:
        """Return the logs of all trainings, those of reward models too."""
        trained = [run.id for run in self.study.runs.values() if run.training]
        rewards = [f"{self.study.folder}/rewards/{name}/training_log.parquet" for name in self.study.rewards]
        return [*self.of_runs("training_log.parquet", trained), *rewards]

    def reward_data(self, reward: str) -> str:
        """Return the table of pairs that a reward model trains on."""
        return self._data(str(self.study.rewards[reward].dataset))

    def reward_manifest(self, run: str) -> str:
        """Return the manifest of the reward model that a run needs."""
        return f"{self.study.folder}/rewards/{self.study.runs[run].reward}/manifest.json"

    def parent_manifest(self, run: str) -> list[str]:
        """Return the manifest of a run's parent.

        With `allow_retrain` it is `ancient` if the parent's trajectory was pruned: training that again does not bring back the
        runs that start from the parent.
        """
        manifest = self.of_parent(run, "manifest.json")
        again = self.config.allow_retrain and all(is_pruned(Path(path).parent) for path in manifest)
        return [ancient(path) for path in manifest] if again else manifest

    def trajectory(self, run: str) -> list[str]:
        """Return a run's checkpoints; nothing for a base model.

        An input, so that Snakemake misses a pruned trajectory only where a job needs it, as it does a temporary file.
        """
        return [f"{self.study.folder_of(run)}/trajectory"] if self.study.runs[run].algorithm != "base" else []

    # --- measuring ---

    def of_parent(self, run: str, artifact: str) -> list[str]:
        """Return the same artifact of the run's parent; nothing for a run without one."""
        parent = self.study.runs[run].parent
        return self.of_runs(artifact, [parent.id]) if parent else []

    def of_runs(self, artifact: str, runs: Iterable[str]) -> list[str]:
        """Return the same artifact of several runs."""
        return [f"{self.study.folder_of(run)}/{artifact}" for run in runs]

    def of_seeds(self, artifact: str, run: str) -> list[str]:
        """Return the same artifact of the replicates that are pooled under this id."""
        return self.of_runs(artifact, self.study.pooled[run])

    def stances_of_seeds(self, run: str) -> list[str]:
        """Return the stances by all judges of the replicates that are pooled under this id."""
        return [path for judge in self.config.judges for path in self.of_seeds(f"stances/{judge}.parquet", run)]

    def judge(self, name: str) -> list[str]:
        """Return what a judge is made of: its weights, those that its chat model's server loads, or a user's function."""
        judge = self.config.judges[name]
        if judge.chat:
            return self.chat("stances", name)
        if judge.path:
            return self.model_files(judge.path, judge.revision)
        return [] if self.judge_steps(name) else [os.path.relpath(path) for path in function_sources(str(judge.function))]

    def judge_steps(self, name: str) -> list[str]:
        """Return the package's own module, as `<stage>.<module>`, that a judge's function is in."""
        module = str(self.config.judges[name].function).partition(":")[0]
        return [module.removeprefix(f"{PACKAGE}.")] if module.startswith(f"{PACKAGE}.") else []

    def order_checks(self) -> list[str]:
        """Return what the judges answer in all orders of the options."""
        return [self._orders(name) for name in self.study.order_checked]

    def _orders(self, judge: str) -> str:
        return f"{self.study.folder}/judges/{judge}/orders.parquet"

    def human_sample(self, artifact: str) -> list[str]:
        """Return an artifact of the runs whose responses people label: all runs where `human.runs` names none."""
        return self.of_runs(artifact, self.config.human.runs or self.study.runs)

    def human_labels(self) -> list[str]:
        """Return the files of people's labels; raise UserError where the config names none."""
        if not self.config.human.labels:
            raise UserError(
                "config: `human.labels` names no file: make the labelling page with the target human_sample, let people"
                f" label {self.study.folder}/human/label.html, and name the files that they saved"
            )
        return self.config.human.labels

    def task(self, name: str) -> list[str]:
        """Return what a benchmark is read from, other than the hub: task files of one's own and its data."""
        downstream = self.config.downstream
        own = sorted(Path(downstream.include).glob("*.yaml")) if downstream.include else []
        data = downstream.tasks[name].data
        return [*map(str, own), *([self.study.here(data)] if data else [])]

    def benchmark_scores(self, runs: Iterable[str], artifact: str = "downstream") -> list[str]:
        """Return the scores of runs on every benchmark."""
        shown = list(runs)
        return [path for task in self.config.downstream.tasks for path in self.of_runs(f"{artifact}/{task}.parquet", shown)]

    def contrast_stances(self, name: str) -> list[str]:
        """Return the stances that a contrast compares, each file once."""
        sides = [side for both in self.study.contrasted(name).values() for seeds in both for side in seeds]
        return list(dict.fromkeys(f"{self.study.folder_of(side.run)}/stances/{side.judge}.parquet" for side in sides))

    # --- tables, figures and report ---

    def table_runs(self, name: str, artifact: str) -> list[str]:
        """Return an artifact of the runs that a table shows; of their replicates too, except in a table of single responses."""
        block = self.config.tables[name]
        shown = block.runs().values()
        return self.of_runs(artifact, shown if isinstance(block, SamplesTable) else self.study.with_replicates(shown))

    def table_drift(self, name: str) -> list[str]:
        """Return the drift that a table shows: the whole study's, for which verdicts are corrected, or that of its runs alone."""
        block = self.config.tables[name]
        assert isinstance(block, DriftTable)
        alone = self.of_runs("drift.parquet", dict.fromkeys(map(self.study.shown, block.runs().values())))
        return [f"{self.study.folder}/drift.parquet"] if block.verdicts else alone

    def table_stances(self, name: str) -> list[str]:
        """Return the stances that a table of the responses' quality or of sensitivity counts, by its judge or the study's own."""
        return self.table_runs(name, f"stances/{self._table_judge(name)}.parquet")

    def table_orders(self, name: str) -> list[str]:
        """Return what the judge of a table of sensitivity answers in all orders of the options; nothing where it is not checked."""
        judge = self._table_judge(name)
        return [self._orders(judge)] if judge in self.study.order_checked else []

    def _table_judge(self, name: str) -> str:
        block = self.config.tables[name]
        assert isinstance(block, QualityTable | SensitivityTable)
        return block.judge or self.study.judge

    def table_scores(self, name: str) -> list[str]:
        """Return the benchmark scores of the runs that a table shows, and of their replicates."""
        return self.benchmark_scores(self.study.with_replicates(self.config.tables[name].runs().values()))

    def table_questions(self, name: str) -> list[str]:
        """Return the scores of each question of the same benchmarks and runs."""
        return self.benchmark_scores(self.study.with_replicates(self.config.tables[name].runs().values()), "downstream/questions")

    def table_pairs(self, name: str) -> str:
        """Return the file of synthetic pairs that a table shows."""
        block = self.config.tables[name]
        assert isinstance(block, PairsTable)
        dataset = self.config.datasets[block.dataset]
        return self.study.dataset_at(dataset.path, dataset.revision)

    def figure_values(self, name: str) -> list[str]:
        """Return the values of the runs that a figure shows, of all that they descend from, and of the seeds of both."""
        figure = self.config.figures[name]
        assert not isinstance(figure, ForestFigure)
        runs = self.study.lineages(figure.runs if isinstance(figure, AblationFigure) else figure.panels.values())
        pooled = dict.fromkeys(self.study.shown(self.study.runs[run].plain) for run in runs)
        return self.of_runs("values.parquet", dict.fromkeys([*runs, *pooled]))

    def figure_drift(self, name: str) -> list[str]:
        """Return the study's drift for a figure with verdicts, if there is any; nothing for one without them."""
        figure = self.config.figures[name]
        assert not isinstance(figure, ForestFigure)
        return [f"{self.study.folder}/drift.parquet"] if figure.verdicts and self.study.drifting else []

    def contrast_of(self, block: str) -> str:
        """Return the contrast that a table or figure shows."""
        shown = self.config.tables.get(block) or self.config.figures[block]
        assert isinstance(shown, ForestFigure | ContrastTable)
        return f"{self.study.folder}/contrasts/{shown.contrast}.parquet"

    def reference(self) -> list[str]:
        """Return the files of printed values that the scorecard compares with."""
        card = self.config.scorecard
        return [path for path in (card.drift, card.downstream, card.faults) if path] if card else []

    def counts(self) -> list[str]:
        """Return the counts of what was read and dropped, of raw prompts and of every dataset that a run needs."""
        folder = self.study.folder
        return [f"{folder}/prompts/raw.counts.json", *(f"{folder}/data/{name}.counts.json" for name in self.study.datasets)]

    def _data(self, dataset: str) -> str:
        return f"{self.study.folder}/data/{dataset}.parquet"


def is_pruned(run: Path) -> bool:
    """Return True if the trajectory in a run's folder was deleted, by `prune` or by hand, and not trained again since."""
    done = all((run / name).exists() for name in ("manifest.json", "training_log.parquet"))
    return done and not (run / "trajectory").exists()


def _files(folder: Path) -> list[str]:
    return sorted(str(file) for file in folder.rglob("*") if file.is_file())


def options(named: Any) -> str:
    """Return a job's named inputs, other than empty ones, as options of a command, quoted for the shell: `--prompts a 'b c'`."""
    given = {name: [files] if isinstance(files, str) else files for name, files in named.items() if files}
    return " ".join(f"--{name} {shlex.join(map(str, files))}" for name, files in given.items())
