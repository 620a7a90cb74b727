"""Which steps an edit of the config changes: the strings that Snakemake compares, before and after.

What lies below a changed step is Snakemake's part, and tests/system/workflow/test_reruns.py shows it with real dry runs.
"""

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from valuedrift.config.algorithms import RUN_ALGORITHMS
from valuedrift.config.load import load_study_config, merge
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.study.jobs import Jobs
from valuedrift.study.jobs.base import TrackedJob
from valuedrift.study.study import REPLICATE, Study

ROOT = Path(__file__).parents[2]
BUILT_IN = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
MINIATURE = merge(
    BUILT_IN,
    {
        "runs": [
            *BUILT_IN["runs"],
            {"parent": "mini/alpaca", "algorithm": ["kto", "orpo"], "data": "ultrafeedback"},
            {"parent": "mini/base", "algorithm": "sft", "data": "alpaca", "label": "twice", "seeds": [0, 1]},
        ],
        "external": {"theirs": {"checkpoints": {0: "results/theirs/0", 5: "results/theirs/5"}}},
        "mixtures": {"gap": {"gap": "synthetic", "rest": "ultrafeedback", "shares": [0.5], "rows": 100}},
    },
)
"""The built-in study, with what it lacks: every algorithm, several seeds, somebody else's checkpoints and a mixture."""
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))


def tracked(study: Study) -> dict[str, list[str]]:
    """Rule → what Snakemake compares of each of its jobs."""
    jobs, runs = Jobs(study), list(study.runs)
    chat_job = jobs.chat_job
    found: dict[str, list[str | TrackedJob]] = {
        "raw_prompts": [jobs.raw_prompts()],
        "questions": [chat_job(jobs.questions())],
        "embeddings": [jobs.embedding()],
        "category_embeddings": [jobs.category_embeddings()],
        "reduction": [jobs.reduction()],
        "clusters": [jobs.clusters()],
        "ngrams": [jobs.ngrams()],
        "cluster_names": [chat_job(jobs.cluster_names())],
        "cluster_categories": [jobs.categories()],
        "value_laden": [chat_job(jobs.value_laden())],
        "prompts": [jobs.sample()],
        "map2d": [jobs.map2d()],
        "suggestion": [jobs.suggestion()],
        "clusters_page": [jobs.clusters_page()],
        "sft_set": [jobs.dataset(name) for name in study.sft_sets],
        "preference_set": [jobs.dataset(name) for name in study.preference_sets],
        "mixture": [jobs.mixture(name) for name in study.mixtures],
        "candidates": [jobs.candidates()],
        "retrieved": [jobs.retrieval()],
        "answers": [chat_job(jobs.answers())],
        "base": [jobs.base(run) for run in study.ids("base")],
        "external": [jobs.external(run) for run in study.ids("external")],
        "reward": [jobs.reward(reward) for reward in study.rewards],
        **{name: [jobs.training(run) for run in study.ids(name)] for name in RUN_ALGORITHMS},
        "generations": [jobs.generation(run) for run in runs],
        "generations again": [jobs.generation(run, REPLICATE) for run in runs],
        **{f"stances of {name}": [jobs.judge(run, name) for run in runs] for name in study.config.judges},
        **{f"orders of {name}": [jobs.order_check(name)] for name in study.order_checked},
        "human_sample": [jobs.human_sample()],
        "human_check": [jobs.human_check()],
        "values": [jobs.values()],
        "pooled_values": [jobs.pooled_values(run) for run in study.pooled],
        "pooled_drift": [jobs.pooled_drift(run) for run in study.pooled],
        "drift": [jobs.drift()],
        "noise": [jobs.noise()],
        **{f"contrast {name}": [jobs.contrast(name)] for name in study.config.contrasts},
        "downstream_data": [jobs.downstream_data(task) for task in study.config.downstream.tasks],
        "downstream": [jobs.downstream(run, task) for run in study.benchmarked for task in study.config.downstream.tasks],
        **{name: [jobs.table(name)] for name in study.config.tables},
        **{name: [jobs.figure(name)] for name in study.config.figures},
        "verdicts": [jobs.verdicts()],
        "scorecard": [jobs.scorecard()],
        "judges_page": [jobs.judge_comparison()],
        "report": [jobs.report()],
        **{f"miniature {'+'.join(keys)}": [jobs.miniature(*keys)] for keys in miniature_steps()},
        "miniature_recovery": [jobs.recovery()],
        "miniature_found": [jobs.found()],
        "hub": [jobs.download(folder) for folder in (*study.hub_models, *study.hub_datasets)],
    }  # fmt: skip
    return {rule: [job.tracked if isinstance(job, TrackedJob) else job for job in each] for rule, each in found.items()}


@cache
def miniature_steps() -> list[tuple[str, ...]]:
    """The keys that each step of the miniature reads, as its rules list them."""
    return [tuple(re.findall(r'"(\w+)"', keys)) for keys in re.findall(r"jobs\.miniature\(([^)]*)\)", RULES)]


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    return tracked(Study(load_study_config(MINIATURE)))


def changed(before: dict[str, list[str]], config: dict[str, Any]) -> set[str]:
    after = tracked(Study(load_study_config(config)))
    assert after.keys() == before.keys()
    return {rule for rule, strings in after.items() if strings != before[rule]}


def edited(edits: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(MINIATURE)
    for path, value in edits.items():
        *way, last = path.split("/")
        node = config
        for part in way:
            node = node.setdefault(part, {})
        node[last] = value
    return config


JUDGED = {"stances of mini-judge", "orders of mini-judge", "report"}
DRIFTS = {"drift", "pooled_drift", "table_1", "table_9", "table_16"}
SAMPLED = {"generations", "generations again"}
CONTRASTS = {"contrast sft_sets", "contrast sides", "contrast judges", "contrast_sides", "contrast_judges"}
FOREST = {"forest_sides", "forest_sft_sets"}
FIGURES = {"figure_2", "figure_3", "figure_4", "figure_13", *FOREST}


@pytest.mark.parametrize(
    ("path", "value", "steps"),
    [
        # curation
        ("prompts/source/path", "results/other.csv", {"raw_prompts", "report"}),
        ("prompts/rephrase", "none", {"questions", "report"}),
        ("prompts/embedding/batch_size", 7, {"embeddings", "category_embeddings", "report"}),
        ("prompts/reduction/neighbors", 7, {"reduction", "map2d", "report"}),
        ("prompts/clustering/min_cluster_size", 9, {"clusters", "report"}),
        ("prompts/ngrams/top", 5, {"ngrams", "report"}),
        ("prompts/filter", "none", {"value_laden", "report"}),
        ("prompts/min_similarity", 0.3, {"cluster_categories", "suggestion", "clusters_page", "report"}),
        ("prompts/per_category", 4, {"prompts", "report"}),
        # Assigning a cluster changes neither embeddings nor clusters.
        ("prompts/categories/Race and Racism/exclude", ["weather"], {"cluster_categories", "suggestion", "report"}),
        # data and synthetic preferences
        ("datasets/alpaca/validation", 0.2, {"sft_set"}),
        ("datasets/ultrafeedback/validation", 0.2, {"preference_set"}),
        ("datasets/alpaca/expected", {"train": 5}, {"report"}),  # only shown next to the data
        ("mixtures/gap/rows", 50, {"mixture"}),
        ("synthetic/longest_prompt", 50, {"candidates"}),
        ("synthetic/threshold", 0.3, {"retrieved"}),
        ("synthetic/cap", 9, {"retrieved"}),
        ("chats/grammar/temperature", 0.5, {"answers"}),
        ("chats/grammar/concurrency", 3, set()),
        ("chats/grammar/server", ["serve", "{port}"], set()),
        # training
        ("training/sft/learning_rate", 1e-3, {"sft"}),
        ("training/ppo/kl", 0.2, {"ppo"}),
        ("training/dpo/logging_steps", 3, {"dpo"}),
        ("training/simpo/gamma", 0.7, {"simpo"}),
        ("training/kto/beta", 0.7, {"kto"}),
        ("training/orpo/beta", 0.7, {"orpo"}),
        ("training/reward/learning_rate", 2e-3, {"reward"}),
        ("training/reward/max_grad_norm", 1.0, set()),  # the default, spelled out
        ("models/mini/dtype", "bfloat16", {"base", *RUN_ALGORITHMS, "reward", *SAMPLED, "downstream", "report"}),
        ("models/mini/parameters", 1e9, {"report"}),
        ("external/theirs/checkpoints", {0: "results/theirs/0", 7: "results/theirs/5"}, {"external"}),
        # sampling and judging
        ("generation/temperature", 0.5, {*SAMPLED, "report"}),
        ("generation/samples", 3, {*SAMPLED, "report"}),
        ("generation/seed", 7, {*SAMPLED, "report"}),
        ("generation/replicates", 2, {"report"}),  # its further jobs are others
        ("generation/seed", 0, {"report"}),  # the study's own, spelled out, is shown
        ("judges/mini-judge/prompt", "{prompt} {response} {topic} {options}", JUDGED),
        ("judges/mini-judge/min_mass", 0.5, JUDGED),
        ("judges/mini-judge/per_category", 3, JUDGED),
        ("judges/mini-judge/order_check", 7, {"orders of mini-judge", "report"}),
        # How a machine computes it does not change a result.
        ("generation/batch_size", 7, set()),
        ("generation/vllm", {"memory_share": 0.5}, set()),
        ("judges/mini-judge/batch_size", 7, set()),
        ("cluster", {"device": "a100-80gb", "gpus": 2, "gpu_memory": 0.01, "save_minutes": 0}, set()),
        ("cluster/network", "login", set()),
        ("allow_retrain", True, set()),
        # people's labels, values and drift
        ("human/responses", 9, {"human_sample"}),
        ("human/confidence", 0.8, {"human_check"}),
        ("values/confidence", 0.9, {"values", "pooled_values", *DRIFTS, "judges_page", "sensitivity", "report", "scorecard", "noise", *CONTRASTS}),
        ("drift/margin", 0.1, {*DRIFTS, "report", "noise", *CONTRASTS, *FOREST}),
        ("contrasts/sides/categories", ["Race and Racism"], {"contrast sides"}),
        ("drift/extremum", "farthest", {"drift", "pooled_drift", "report"}),
        # benchmarks
        ("downstream/tasks/miniature-answers/shots", 2, {"downstream"}),
        ("downstream/tasks/miniature-answers/data", "results/other.jsonl", {"downstream_data"}),
        # tables, figures and report
        ("style/dpi", 100, {*FIGURES, "verdicts"}),
        ("tables/table_9/caption", "New", {"table_9", "report"}),
        ("tables/sensitivity/min_mass", 0.9, {"sensitivity"}),
        ("tables/quality/judge", "mini-judge", set()),  # its inputs change: the stances of another judge
        ("figures/figure_3/caption", "New", {"report"}),
        ("figures/figure_3/category", "Immigration Policies", {"figure_3"}),
        ("scorecard/models", {"mini": "llama3-8b"}, {"scorecard"}),
        ("report/samples", 1, {"report"}),
        ("report/title", "New", {"report", "clusters_page", "human_sample", "human_check"}),
        ("description", "New", {"report"}),
        # the built-in world
        ("miniature/folder", "results/elsewhere", set()),
    ],
)  # fmt: skip
def test_an_edited_key_changes_the_steps_that_read_it(before, path, value, steps):
    assert changed(before, edited({path: value})) == steps


@pytest.mark.parametrize("key", sorted(set(MiniatureConfig.model_fields) - {"folder"}))
def test_a_key_of_the_miniature_changes_the_steps_whose_rules_list_it(before, key):
    default = MiniatureConfig.model_validate(MINIATURE["miniature"]).model_dump()[key]
    changes = {
        dict: lambda: {**default, "steps": 7},
        str: lambda: f"{default} now",
        float: lambda: default / 2,
        int: lambda: default + 1,
    }
    value = changes[type(default)]()
    assert changed(before, edited({f"miniature/{key}": value})) == {
        f"miniature {'+'.join(keys)}" for keys in miniature_steps() if key in keys
    }


def test_every_algorithm_has_a_run_here(before):
    assert all(before[name] for name in (*RUN_ALGORITHMS, "reward", "base", "external", "mixture"))


def test_a_judge_that_is_asked_in_several_orders_needs_no_check_of_them(before):
    after = tracked(Study(load_study_config(edited({"judges/mini-judge/orders": "latin"}))))
    assert before.keys() - after.keys() == {"orders of mini-judge"}
    assert {rule for rule, strings in after.items() if strings != before[rule]} == {"stances of mini-judge", "report"}


def test_swapped_values_are_noticed(before):
    dpo = MINIATURE["training"]["dpo"]
    edits = {"training/dpo/epochs": dpo["batch_size"], "training/dpo/batch_size": dpo["epochs"]}
    assert changed(before, edited(edits)) == {"dpo"}


def test_the_order_of_keys_changes_nothing_but_what_is_shown_in_this_order(before):
    kept = {"judges", "tables", "figures", "models", "datasets", "prompts", "runs"}
    turned = {k: dict(reversed(v.items())) if isinstance(v, dict) and k not in kept else v for k, v in MINIATURE.items()}
    assert changed(before, dict(reversed(turned.items()))) == set()


def test_the_table_above_has_every_job_that_a_rule_names():
    """A step without a row here could read a key that nobody sees."""
    used = set(re.findall(r"\bjobs\.(\w+)\(", RULES))
    own = set(re.findall(r"\bjobs\.(\w+)\(", Path(__file__).read_text())) | {"chat_job"}
    assert used - {"check", "table_command", "figure_command"} <= own
