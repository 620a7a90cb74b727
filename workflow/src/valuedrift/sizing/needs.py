"""The one table from each rule of the workflow to what its jobs need."""

from collections.abc import Callable, Mapping

from valuedrift.config.algorithms import RUN_ALGORITHMS
from valuedrift.sizing import chat, data, miniature, prompts, train
from valuedrift.sizing.base import IMPORT_SECONDS, Need, StudySizing, small_step
from valuedrift.sizing.downstream import downstream
from valuedrift.sizing.generate import generation
from valuedrift.sizing.judge import order_check, stances
from valuedrift.study.lineage import Run
from valuedrift.study.study import Study

Wildcards = Mapping[str, str]
NeedOf = Callable[[StudySizing, Wildcards], Need]


def _run(sizing: StudySizing, wildcards: Wildcards) -> Run:
    return sizing.study.runs[wildcards["run"]]


def _seconds(number: float) -> NeedOf:
    return lambda sizing, wildcards: small_step(number)


def _training(sizing: StudySizing, wildcards: Wildcards) -> Need:
    return train.training(sizing, _run(sizing, wildcards))


def _base(sizing: StudySizing, wildcards: Wildcards) -> Need:
    return train.base(sizing, _run(sizing, wildcards))


def _dataset(sizing: StudySizing, wildcards: Wildcards) -> Need:
    return data.dataset(sizing, wildcards["dataset"])


def _stances(sizing: StudySizing, wildcards: Wildcards) -> Need:
    return stances(sizing, _run(sizing, wildcards), wildcards["judge"], wildcards.get("again", ""))


def _order_check(sizing: StudySizing, wildcards: Wildcards) -> Need:
    return order_check(sizing, wildcards["judge"])


def _curation(rule: str) -> NeedOf:
    return lambda sizing, wildcards: chat.curation_step(sizing, rule)


LIGHT, SLOW_IMPORTS, TORCH = _seconds(1.0), _seconds(2.5), _seconds(IMPORT_SECONDS)
"""Steps on tables took 0.4 to 1.3 s on the miniature, 2.5 s if they import matplotlib or scikit-learn, 6 s if they import torch."""

REPORT_STEPS = (
    "drift_table", "categories_table", "topics_table", "value_texts_table", "samples_table", "pairs_table", "downstream_table",
    "quality_table", "sensitivity_table", "contrast_table", "scorecard", "judges_page", "report",
)  # fmt: skip

MINIATURE_STEPS = (
    "miniature_prompts", "miniature_planted", "miniature_dataset", "miniature_recovery", "miniature_found", "miniature_benchmark",
)  # fmt: skip

NEEDS: dict[str, NeedOf] = {
    # hub
    "hub_model": lambda sizing, wildcards: data.hub_model(sizing, wildcards["folder"]),
    "hub_dataset": _seconds(0.0),  # the time of downloads and the size of datasets are not counted
    # prompts
    "raw_prompts": LIGHT,
    "questions": _curation("questions"),
    "embeddings": lambda sizing, wildcards: prompts.embedding(sizing, sizing.config.prompts.embedding, prompts.raw_prompts(sizing)),
    "category_embeddings": TORCH,
    "reduction": lambda sizing, wildcards: prompts.reduction(sizing),
    "clusters": lambda sizing, wildcards: prompts.clustering(sizing),
    "ngrams": SLOW_IMPORTS,
    "cluster_names": _curation("cluster_names"),
    "cluster_categories": LIGHT,
    "value_laden": _curation("value_laden"),
    "prompts": LIGHT,
    "curation_counts": LIGHT,
    "map2d": lambda sizing, wildcards: prompts.reduction(sizing),
    "suggestion": LIGHT,
    "clusters_page": SLOW_IMPORTS,
    # data
    "sft_set": _dataset,
    "preference_set": _dataset,
    "mixture": lambda sizing, wildcards: data.mixture(sizing, wildcards["dataset"]),
    # synthetic
    "candidates": lambda sizing, wildcards: prompts.search(sizing),
    "retrieved": LIGHT,
    "answers": lambda sizing, wildcards: chat.synthetic_answers(sizing),
    "synthetic_pairs": LIGHT,
    # train
    "base": _base,
    "external": _base,
    **dict.fromkeys(RUN_ALGORITHMS, _training),
    "reward": lambda sizing, wildcards: train.reward(sizing, wildcards["reward"]),
    # generate, judge, human, drift, downstream
    "generations": lambda sizing, wildcards: generation(sizing, _run(sizing, wildcards), wildcards.get("again", "")),
    "stances": _stances,
    "service_stances": _stances,
    "order_check": _order_check,
    "service_order_check": _order_check,
    "human_sample": LIGHT,
    "human_check": LIGHT,
    "values": LIGHT,
    "drift": LIGHT,
    "pooled_values": LIGHT,
    "pooled_drift": LIGHT,
    "study_drift": LIGHT,
    "contrast": LIGHT,
    "noise": LIGHT,
    "downstream_data": SLOW_IMPORTS,
    "downstream": lambda sizing, wildcards: downstream(sizing, _run(sizing, wildcards), wildcards["task"]),
    # report
    **dict.fromkeys(REPORT_STEPS, LIGHT),
    "verdicts": SLOW_IMPORTS,
    "figure": SLOW_IMPORTS,
    "ablation": SLOW_IMPORTS,
    "forest": SLOW_IMPORTS,
    # miniature
    **dict.fromkeys(MINIATURE_STEPS, LIGHT),
    "miniature_tokenizer": SLOW_IMPORTS,
    "miniature_clustering": SLOW_IMPORTS,
    "miniature_base": lambda sizing, wildcards: miniature.base_model(sizing),
    "miniature_judge": lambda sizing, wildcards: miniature.judge(sizing),
}
"""Rule -> need of one of its jobs, by its wildcards. A test fails where a rule of the workflow has no row, or a row no rule."""


class Sizing(StudySizing):
    """What the jobs of one study need; `gpus` limits what a job gets below what the config says."""

    def __init__(self, study: Study, gpus: int | None = None) -> None:
        super().__init__(study, gpus)
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Need] = {}

    def need(self, rule: str, wildcards: Wildcards) -> Need:
        """Return what a job of the rule with these wildcards needs."""
        key = rule, tuple(sorted(wildcards.items()))
        if key not in self._known:
            self._known[key] = NEEDS[rule](self, wildcards)
        return self._known[key]
