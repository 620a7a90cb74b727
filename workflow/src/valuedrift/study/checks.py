"""Checks before any work that a study's config fits together, and fits what is on disk; each raises UserError in one line."""

import itertools
import re
from collections import Counter
from pathlib import Path

from valuedrift.config.base import INSTALLED_ENCODER
from valuedrift.config.data import MixtureConfig
from valuedrift.config.drift import ContrastConfig
from valuedrift.config.synthetic import TABLE_7
from valuedrift.config.tables import DriftTable
from valuedrift.errors import UserError
from valuedrift.io.row_files import check_regular, is_local
from valuedrift.io.source_files import function_sources, has_function
from valuedrift.study.inputs import Inputs
from valuedrift.study.lineage import known
from valuedrift.study.study import HUB_NAME, Study

LONGEST_PART = 200
"""Characters of a run's name between two slashes: a folder's name may have 255 bytes, and temporary files add to it."""
COMMIT = re.compile(r"[0-9a-f]{40}")


def check(study: Study) -> None:
    """Raise UserError if a name in the config refers to nothing, or to a thing of the wrong kind."""
    config = study.config
    for part in {part for run in study.runs for part in run.split("/") if len(part) > LONGEST_PART}:
        raise UserError(
            f"config: `runs`: the name {part:.60}... has {len(part)} characters, and folders take {LONGEST_PART}: shorten it"
        )
    for name in config.tables.keys() & config.figures.keys():
        raise UserError(f"config: `tables.{name}` and `figures.{name}` have the same name; rename one, each is a target of its own")
    for name, mixture in config.mixtures.items():
        _check_mixture(study, name, mixture)
    for kind, blocks in (("tables", config.tables), ("figures", config.figures)):
        for name, block in blocks.items():
            _check_block(study, f"{kind}.{name}", block)
    _check_judges(study)
    for name, contrast in config.contrasts.items():
        _check_contrast(study, name, contrast)
    if config.scorecard:
        for name in config.scorecard.models:
            known("scorecard.models", "model", name, study.models)
    for key in ("totals", "reaches"):
        for name in getattr(config.drift, key):
            known(f"drift.{key}", "dataset", name, {*config.datasets, *study.mixtures})
    if config.prompts.chat:
        known("prompts.chat", "chat model", config.prompts.chat, config.chats)
    _check_synthetic(study)
    kinds = {block.kind for block in config.tables.values()}
    if "downstream" in kinds and not config.downstream.tasks:
        raise UserError("config: a table of the kind `downstream` needs `downstream.tasks`")


def check_files(study: Study) -> None:
    """Raise UserError if a file or folder neither exists nor is made by the workflow, or a download is not pinned to a commit."""
    inputs = Inputs(study)
    for key, path, revision in study.dataset_paths():
        check_regular(study.here(path))
        if not is_local(study.here(path)):
            _check_pin(key, path, revision)
        elif not Path(study.here(path)).exists() and not study.is_made(study.here(path)):
            hint = " (the block `synthetic`, which makes it, is missing)" if path.endswith("/synthetic/pairs.parquet") else ""
            raise UserError(f"config: `{key}.path`: there is no file {study.here(path)}{hint}")
        elif revision is not None:
            raise UserError(f"config: `{key}.revision`: {path} is a file or folder here, which has no revisions; remove the key")
    for key, path, revision in study.model_paths():
        if study.is_on_hub(study.here(path)):
            _check_pin(key, path, revision)
        elif not inputs.model_files(path, revision) and path != INSTALLED_ENCODER:
            name = "model" if key.endswith(".embedding") else "path"
            raise UserError(f"config: `{key}.{name}`: there is no folder {path}; a model of the hub is named owner/name")
        elif revision is not None:
            raise UserError(f"config: `{key}.revision`: {path} is a folder here, which has no revisions; remove the key")
    _check_judges_files(study)
    _check_downstream(study)


def outside(study: Study) -> list[str]:
    """Return a warning for a folder that jobs write into and that does not lie below the working directory."""
    world = study.config.miniature
    if world is None or Path(world.folder).resolve().is_relative_to(Path.cwd()):
        return []
    return [f"config: `miniature.folder`: jobs will write into {Path(world.folder).resolve()}, outside of this project"]


def _check_pin(key: str, name: str, revision: str | None) -> None:
    if not HUB_NAME.fullmatch(name):
        raise UserError(f"config: `{key}.path`: {name} is neither a file or folder here nor a hub name (owner/name)")
    if revision is None or not COMMIT.fullmatch(revision):
        raise UserError(f"config: `{key}.revision`: there is no {name} here; for the hub, pin it to a commit (40 hex digits)")


def _check_judges(study: Study) -> None:
    config = study.config
    if config.judge:
        known("judge", "judge", config.judge, config.judges)
    for name, judge in config.judges.items():
        if judge.chat is None:
            continue
        known(f"judges.{name}.chat", "chat model", judge.chat, config.chats)
        if judge.reading == "sampling" and config.chats[judge.chat].temperature == 0:
            needed = f"`chats.{judge.chat}.temperature` above 0; 1 draws as the model does"
            raise UserError(f"config: `judges.{name}.reading`: sampling needs {needed}")
    for run in config.human.runs or ():
        known("human.runs", "run", run, study.runs)


def _check_judges_files(study: Study) -> None:
    for name, judge in study.config.judges.items():
        if judge.function and not function_sources(judge.function):
            raise UserError(f"config: `judges.{name}.function`: no module for {judge.function}; write `module:name`")
        try:
            found = not judge.function or has_function(judge.function)
        except (SyntaxError, ValueError) as error:
            raise UserError(f"config: `judges.{name}.function`: the module of {judge.function} is not Python: {error}") from error
        if not found:
            raise UserError(f"config: `judges.{name}.function`: its module has no function of this name: {judge.function}")
    for path in study.config.human.labels:
        if not Path(path).is_file():
            raise UserError(f"config: `human.labels`: there is no file {path}; the labelling page exports one")


def _check_mixture(study: Study, name: str, mixture: MixtureConfig) -> None:
    for key, part, synthetic in (("gap", mixture.gap, True), ("rest", mixture.rest, False)):
        known(f"mixtures.{name}.{key}", "dataset", part, study.config.datasets)
        dataset = study.config.datasets[part]
        if not dataset.is_preference or (dataset.format == "synthetic") != synthetic:
            wanted = "a synthetic preference set" if synthetic else "a preference set with labels"
            raise UserError(f"config: `mixtures.{name}.{key}`: {part} is not {wanted}")


def _check_block(study: Study, key: str, block: object) -> None:
    """Raise UserError for a run, judge, category or dataset that a table or figure names and the study lacks."""
    config, runs = study.config, getattr(block, "runs", ())
    for run in runs().values() if callable(runs) else runs:
        _check_run(study, key, run)
        if getattr(block, "kind", None) in ("drift", "sensitivity") and study.runs[run].algorithm == "base":
            raise UserError(f"config: `{key}`: {run} is a base model, which has no drift")
    if contrast := getattr(block, "contrast", None):
        known(f"{key}.contrast", "contrast", contrast, config.contrasts)
    if isinstance(block, DriftTable) and {*block.metrics} - {"magnitude"} and not block.verdicts and config.drift.times == "moved":
        raise UserError(
            f"config: `{key}.verdicts: false` shows times without the verdicts that decide which cells have one; set"
            f" `drift.times: all` or `{key}.metrics: [magnitude]`"
        )
    if judge := getattr(block, "judge", None):
        known(f"{key}.judge", "judge", judge, config.judges)
    _check_categories(study, key, getattr(block, "categories", None))
    if category := getattr(block, "category", None):
        known(f"{key}.category", "category", category, config.prompts.categories)
    if dataset := getattr(block, "dataset", None):
        known(f"{key}.dataset", "dataset", dataset, config.datasets)
        if config.datasets[dataset].format != "synthetic":
            raise UserError(f"config: `{key}.dataset`: {dataset} is not a synthetic set, whose answers have stances")


def _check_run(study: Study, key: str, run: str) -> None:
    if run in study.pooled:
        plain = run.removesuffix("-seeds")
        raise UserError(f"config: `{key}`: {run} pools the seeds of a run: write `{plain}`, which stands for all of them")
    known(key, "run", run, study.runs)


def _check_contrast(study: Study, name: str, contrast: ContrastConfig) -> None:
    key = f"contrasts.{name}"
    for side in itertools.chain.from_iterable(contrast.sides(study.judge).values()):
        _check_run(study, key, side.run)
        known(key, "judge", side.judge, study.config.judges)
        if contrast.of == "drift" and study.runs[side.run].algorithm == "base":
            raise UserError(f"config: `{key}`: {side.run} is a base model, which has no drift; compare values (`of: value`)")
    for heading, (firsts, seconds) in study.contrasted(name).items():
        if firsts == seconds:
            raise UserError(
                f"config: `{key}`: `{heading}` compares {firsts[0].run} with itself: a run is compared under each seed that both"
                " have, and seeds of the same run are no two runs"
            )
    _check_categories(study, key, contrast.categories)


def _check_categories(study: Study, key: str, categories: list[str] | None) -> None:
    if categories == []:
        raise UserError(f"config: `{key}.categories` is an empty list: name at least one")
    for category, count in Counter(categories or ()).items():
        known(f"{key}.categories", "category", category, study.config.prompts.categories)
        if count > 1:
            raise UserError(f"config: `{key}.categories` has {category} twice: name each once")


def _check_synthetic(study: Study) -> None:
    config, synthetic = study.config, study.config.synthetic
    if synthetic is None:
        if any(block.kind == "value_texts" for block in config.tables.values()):
            raise UserError("config: a table of the kind `value_texts` needs the block `synthetic`")
        return
    known("synthetic.chat", "chat model", synthetic.chat, config.chats)
    for category in synthetic.values:
        known("synthetic.values", "category", category, {*config.prompts.categories, *TABLE_7})
    for source in synthetic.sources:
        known("synthetic.sources", "dataset", source, config.datasets)
        if not config.datasets[source].is_preference or config.datasets[source].format == "synthetic":
            raise UserError(f"config: `synthetic.sources`: {source} is not a preference set with labels")


def _check_downstream(study: Study) -> None:
    downstream = study.config.downstream
    if downstream.include and not Path(downstream.include).is_dir():
        raise UserError(f"config: `downstream.include`: there is no folder {downstream.include}")
    for name, task in downstream.tasks.items():
        if task.data and not Path(study.here(task.data)).exists() and not study.is_made(study.here(task.data)):
            raise UserError(f"config: `downstream.tasks.{name}.data`: there is no file {task.data}")
    card = study.config.scorecard
    for key in ("drift", "downstream", "faults") if card else ():
        path = getattr(card, key)
        if path and not Path(path).is_file():
            raise UserError(f"config: `scorecard.{key}`: there is no file {path}")
