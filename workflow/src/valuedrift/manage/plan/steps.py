"""The jobs of a study that take time, and what each of them waits for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from valuedrift.manage.plan.chat_calls import Use
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.base import IMPORTS, TEXTS
from valuedrift.sizing.counts import ASSUMED, Amount, mean_tokens
from valuedrift.sizing.token_counts import MINIATURE
from valuedrift.study.chats import chat_of
from valuedrift.study.lineage import Run

PROMPTS, ANSWERS = "evaluation prompts", "synthetic answers"
LIGHT, DRAWN = Amount(1.0, ASSUMED), Amount(2.5, ASSUMED)
"""Seconds of a step on tables that imports no torch, and of a figure (0.4 to 1.3, and 2.5, on the miniature)."""
RAW = 1.5 * 11
"""Raw prompts of the miniature for each question: its eleven topics, and factual and off-topic ones."""


@dataclass(frozen=True)
class Step:
    """One job, or a few small ones in a row."""

    name: str
    kind: str
    """inputs, training, reward models, sampling, judging, benchmarks or tables."""
    need: Need
    after: tuple[str, ...] = ()
    """Names of the steps whose outputs it reads."""
    output: Path = Path()
    run: str = ""
    """The run that it belongs to."""
    service: bool = False
    """Whether it asks a service, whose whole pace one job holds."""

    @property
    def done(self) -> bool:
        return self.output.exists()


def steps(sizing: Sizing, uses: list[Use]) -> list[Step]:
    """All steps, each after those that it waits for; `uses` tells how often chat models are asked."""
    calls = {use.name: use.calls for use in uses if not use.calls.partly}
    return [*_world(sizing), *_prompts(sizing, calls), *_data(sizing, calls), *_runs(sizing), *_shown(sizing)]


def _runs(sizing: Sizing) -> Iterator[Step]:
    study = sizing.study
    benchmarked = set(study.benchmarked)
    rewards = set[str]()
    for run in study.runs.values():
        folder = Path(study.folder_of(run.id))
        if run.training is None:
            made = study.is_made(study.model_at(study.config.models[run.model].path, None)) if run.algorithm == "base" else False
            need = sizing.base(run) if run.algorithm == "base" else Need(0, 1, 1.0, Amount(0))
            yield Step(run.id, "inputs", need, ("world: base model",) if made else (), folder / "manifest.json", run.id)
        else:
            assert run.parent
            before = [run.parent.id, f"data {run.dataset}"]
            if run.algorithm == "ppo":
                before.append(f"reward model {run.reward}")
                if run.reward not in rewards:
                    rewards.add(run.reward)
                    manifest = Path(study.folder, "rewards", run.reward, "manifest.json")
                    yield Step(before[2], "reward models", sizing.reward(run.reward), tuple(before[:2]), manifest)
            yield Step(run.id, "training", sizing.training(run), tuple(before), folder / "manifest.json", run.id)
        yield from _measuring(sizing, run, folder)
        for task in study.config.downstream.tasks if run.id in benchmarked else ():
            output = folder / "downstream" / f"{task}.parquet"
            yield Step(f"{task} {run.id}", "benchmarks", sizing.downstream(run, task), (run.id,), output, run.id)


def _measuring(sizing: Sizing, run: Run, folder: Path) -> Iterator[Step]:
    """A run's responses and stances, which begin with its parent's, and what follows from them."""
    study, parent = sizing.study, run.parent
    sampling = [run.id, PROMPTS] + ([f"sampling {parent.id}"] if parent else [])
    sampled = folder / "generations.parquet"
    yield Step(f"sampling {run.id}", "sampling", sizing.generation(run), tuple(sampling), sampled, run.id)
    for name, judge in study.config.judges.items():
        before = [f"sampling {run.id}"] + ([f"{name} on {parent.id}"] if parent else [])
        before += ["world: judge"] if judge.path and study.is_made(study.model_at(judge.path, None)) else []
        output, service = folder / "stances" / f"{name}.parquet", _is_service(sizing, judge.chat)
        yield Step(f"{name} on {run.id}", "judging", sizing.stances(run, name), tuple(before), output, run.id, service)
    judged = tuple(f"{name} on {run.id}" for name in study.config.judges)
    yield Step(f"values {run.id}", "tables", _small(LIGHT), judged, folder / "values.parquet", run.id)
    if run.algorithm != "base":
        yield Step(f"drift {run.id}", "tables", _small(LIGHT), (f"values {run.id}",), folder / "drift.parquet", run.id)


def _shown(sizing: Sizing) -> Iterator[Step]:
    """All tables and figures, and the report."""
    study, config, folder = sizing.study, sizing.config, sizing.work.folder
    waits = tuple(f"drift {run}" for run in study.drifting)
    waits += tuple(f"{task} {run}" for run in study.benchmarked for task in config.downstream.tasks)
    shown = [(f"table {name}", LIGHT * 0.5, f"tables/{name}.csv") for name in config.tables]
    shown += [(f"figure {name}", DRAWN, f"figures/{name}.pdf") for name in config.figures]
    for name, seconds, path in shown:
        yield Step(name, "tables", _small(seconds), waits, folder / path)
    yield Step("report", "tables", _small(LIGHT), tuple(name for name, *_ in shown), folder / "report.html")


def _prompts(sizing: Sizing, calls: dict[str, Amount]) -> Iterator[Step]:
    """Curation, as far as it takes time."""
    folder, texts = sizing.work.folder / "prompts", _texts(sizing)
    before: tuple[str, ...] = ()

    def asked(step: str) -> Need | None:
        chat = chat_of(sizing.study, {"rephrase": "questions", "filter": "value_laden"}[step])
        return sizing.asking(chat, calls.get(f"prompts: {step}", texts)) if chat else None

    chain = (
        ("rephrase", "questions", asked("rephrase")),
        ("embeddings", "embeddings", sizing.embedding(sizing.config.prompts.embedding, texts)),
        ("clusters", "clusters", sizing.tables(texts)),
        ("filter", "value_laden", asked("filter")),
    )
    for name, table, need in chain:
        if need:
            service = table != name and _is_service(sizing, chat_of(sizing.study, table))
            yield Step(f"prompts: {name}", "inputs", need, before, folder / f"{table}.parquet", service=service)
            before = (f"prompts: {name}",)
    yield Step(PROMPTS, "inputs", _small(LIGHT * 4), before, folder / "prompts.parquet")


def _texts(sizing: Sizing) -> Amount:
    """Raw prompts."""
    raw, world = sizing.work.folder / "prompts" / "raw.parquet", sizing.config.miniature
    if raw.exists():
        return Amount(pl.scan_parquet(raw).select(pl.len()).collect().item())
    return Amount(RAW * world.questions, ASSUMED) if world else TEXTS


def _data(sizing: Sizing, calls: dict[str, Amount]) -> Iterator[Step]:
    """The tables of trainings; those of synthetic preferences and mixtures after what they are made from."""
    study, folder, synthetic = sizing.study, sizing.work.folder, sizing.config.synthetic
    pairs = f"{study.folder}/synthetic/pairs.parquet"
    plain = [name for name in study.datasets if name not in study.mixtures]
    made = {name for name in plain if synthetic and study.here(study.config.datasets[name].path) == pairs}
    named = sorted({*plain, *(synthetic.sources if synthetic and made else [])} - made)
    for name in named:
        yield Step(f"data {name}", "inputs", _read(sizing, name), output=folder / "data" / f"{name}.parquet")
    if synthetic and made:
        sources = tuple(f"data {name}" for name in synthetic.sources)
        need = sizing.asking(synthetic.chat, calls[ANSWERS]) if ANSWERS in calls else sizing.asking(synthetic.chat)
        yield Step("synthetic: search", "inputs", sizing.search(), sources, folder / "synthetic" / "retrieved.parquet")
        service = _is_service(sizing, synthetic.chat)
        yield Step(ANSWERS, "inputs", need, ("synthetic: search",), folder / "synthetic" / "answers.parquet", service=service)
    for name in sorted(made):
        yield Step(f"data {name}", "inputs", _read(sizing, name), (ANSWERS,), folder / "data" / f"{name}.parquet")
    for name in study.mixtures:
        if name in study.datasets:
            mixture = study.config.mixtures[study.mixtures[name][0]]
            parts = (f"data {mixture.gap}", f"data {mixture.rest}")
            yield Step(
                f"data {name}", "inputs", sizing.tables(sizing.lengths.rows(name)), parts, folder / "data" / f"{name}.parquet"
            )


def _world(sizing: Sizing) -> Iterator[Step]:
    """The two models that the miniature trains for itself."""
    if (world := sizing.config.miniature) is None:
        return
    short, whole = sum(MINIATURE), mean_tokens([len(world.judge_prompt)])
    made = (
        ("base model", "base", world.base.batch_size * world.base.steps * short),
        ("judge", "judge", world.judge.batch_size * (world.judge_short_steps * short + world.judge.steps * (whole + short))),
    )
    for name, folder, tokens in made:
        path = str(Path(world.folder, folder))
        seconds = sizing.speeds.seconds_per_token("cpu", "train", "float32", sizing.size(path, None, None).value) * tokens
        yield Step(f"world: {name}", "inputs", Need(0, 1, 2.0, seconds + Amount(6, ASSUMED)), (), Path(path))


def _small(seconds: Amount) -> Need:
    return Need(0, 1, 1.0, seconds)


def _read(sizing: Sizing, dataset: str) -> Need:
    """Reading a dataset, which imports no torch."""
    need = sizing.dataset(dataset)
    return replace(need, seconds=need.seconds + LIGHT + Amount(-2 * IMPORTS))


def _is_service(sizing: Sizing, chat: str | None) -> bool:
    block = sizing.config.chats[chat] if chat else None
    return block is not None and block.server is None and not block.batch


def of_kind(found: Iterable[Step], *kinds: str) -> list[Step]:
    """The steps of these kinds."""
    return [step for step in found if step.kind in kinds]
