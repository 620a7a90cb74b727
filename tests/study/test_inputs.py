"""What rules read, by the config and by what is on disk."""

from pathlib import Path

import pytest
import yaml

from valuedrift.config.load import load_study_config, merge, read_files
from valuedrift.errors import UserError
from valuedrift.study.inputs import Inputs, is_pruned, options
from valuedrift.study.study import Study

CONFIG = Path(__file__).parents[2] / "config"
MINIATURE = yaml.safe_load((CONFIG / "miniature.yaml").read_text())
WORLD, RUNS = "results/miniature/world", "results/miniature/runs"


def inputs(**changes) -> Inputs:
    return Inputs(Study(load_study_config(merge(MINIATURE, changes))))


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def test_a_model_that_a_rule_makes_is_its_folder_and_one_of_the_hub_its_download():
    assert inputs().base_model("mini/base") == [f"{WORLD}/base"]
    hub = {"path": "owner/name", "revision": "a" * 40}
    assert inputs(models={"mini": hub}).base_model("mini/base") == [f"results/hub/models/owner--name/{'a' * 40}"]


def test_a_model_in_a_folder_of_the_users_is_its_files_so_that_a_replaced_one_is_noticed(tmp_path):
    weights, tokens = made(tmp_path / "model" / "weights"), made(tmp_path / "model" / "tokens" / "vocabulary")
    found = inputs(models={"mini": {"path": str(tmp_path / "model")}})
    assert found.base_model("mini/base") == [str(tokens), str(weights)]
    assert inputs().model_files(str(tmp_path / "missing"), None) == []


def test_a_dataset_is_its_file_the_files_of_its_folder_or_its_download(tmp_path):
    assert inputs().dataset("alpaca") == [f"{WORLD}/alpaca.jsonl"]
    assert inputs().dataset("synthetic") == ["results/miniature/synthetic/pairs.parquet"]
    parts = [made(tmp_path / "rows" / name) for name in ("a.parquet", "b.parquet")]
    assert inputs(datasets={"alpaca": {"path": str(tmp_path / "rows")}}).dataset("alpaca") == [str(part) for part in parts]
    hub = {"path": "owner/rows", "revision": "b" * 40}
    assert inputs(datasets={"alpaca": hub}).dataset("alpaca") == [f"results/hub/datasets/owner--rows/{'b' * 40}"]


def test_a_training_reads_its_data_its_parent_and_its_reward_model():
    found, run = inputs(), "mini/alpaca/ppo-synthetic-oppose"
    assert (
        found.training_data(run) == found.reward_data("mini/alpaca/synthetic-oppose") == "results/miniature/data/synthetic.parquet"
    )
    assert found.parent_manifest(run) == [f"{RUNS}/mini/alpaca/manifest.json"]
    assert found.reward_manifest(run) == "results/miniature/rewards/mini/alpaca/synthetic-oppose/manifest.json"
    assert found.parent_manifest("mini/base") == found.trajectory("mini/base") == []
    assert found.trajectory(run) == [f"{RUNS}/{run}/trajectory"]


def test_each_part_of_a_mixture_is_read_from_its_own_table():
    mixture = {"gap": {"gap": "synthetic", "rest": "ultrafeedback", "shares": [0.5]}}
    found = inputs(mixtures=mixture)
    assert found.mixture_gap("gap-0.5") == "results/miniature/data/synthetic.parquet"
    assert found.mixture_rest("gap-0.5") == "results/miniature/data/ultrafeedback.parquet"


@pytest.mark.parametrize(("allowed", "pruned", "old"), [(True, True, True), (True, False, False), (False, True, False)])
def test_a_parent_that_is_trained_again_leaves_its_children_only_where_the_config_allows_it(
    tmp_path, monkeypatch, allowed, pruned, old
):
    monkeypatch.chdir(tmp_path)
    for name in ("manifest.json", "training_log.parquet"):
        made(tmp_path / RUNS / "mini" / "alpaca" / name)
    if not pruned:
        made(tmp_path / RUNS / "mini" / "alpaca" / "trajectory" / "step")
    assert is_pruned(tmp_path / RUNS / "mini" / "alpaca") == pruned
    (manifest,) = inputs(allow_retrain=allowed).parent_manifest("mini/alpaca/dpo-ultrafeedback")
    assert manifest == f"{RUNS}/mini/alpaca/manifest.json"
    assert bool(getattr(manifest, "flags", {}).get("ancient")) == old


def test_a_run_that_was_never_trained_is_not_pruned(tmp_path):
    made(tmp_path / "manifest.json")
    assert not is_pruned(tmp_path)


def test_a_judge_is_its_weights_its_chat_models_or_the_files_of_its_function():
    assert inputs().judge("mini-judge") == [f"{WORLD}/judge"]
    assert (inputs().judge("oracle"), inputs().judge_steps("oracle")) == ([], ["miniature.oracle"])
    assert not any(Path(path).is_absolute() for path in inputs().judge("oracle"))
    service = {"judges": {"api": {"backend": "openai", "chat": "grammar"}}}
    assert inputs(**service).judge("api") == []
    paper = merge(read_files([CONFIG / "paper.yaml"]), {"judges": {"large": {"backend": "openai", "chat": "qwen-72b"}}})
    (folder,) = Inputs(Study(load_study_config(paper))).judge("large")
    assert folder.startswith("results/hub/models/Qwen--Qwen2.5-72B-Instruct/")


def test_a_step_that_calls_no_chat_model_waits_for_none():
    paper = read_files([CONFIG / "paper.yaml"])
    calls = Inputs(Study(load_study_config(merge(paper, {"prompts": {"rephrase": "llm", "filter": "rules", "naming": "ngrams"}}))))
    assert len(calls.chat("questions")) == 1
    assert calls.chat("value_laden") == calls.chat("cluster_names") == []
    assert inputs().chat("answers") == []  # the miniature's server loads no download


SEEDS = [*MINIATURE["runs"][1:], {"parent": "mini/base", "algorithm": "sft", "data": ["wildchat", "alpaca"], "seeds": [0, 1]}]


def test_a_drift_table_reads_the_whole_studys_drift_for_its_verdicts_and_without_them_that_of_its_runs_alone():
    assert inputs().table_drift("table_9") == ["results/miniature/drift.parquet"]
    alone = {"tables": {"table_9": {"verdicts": False}}, "drift": {"times": "all"}}
    assert inputs(**alone).table_drift("table_9") == [f"{RUNS}/mini/{run}/drift.parquet" for run in ("wildchat", "alpaca")]
    pooled = inputs(**alone, runs=SEEDS)
    assert pooled.table_drift("table_9") == [f"{RUNS}/mini/{run}-seeds/drift.parquet" for run in ("wildchat", "alpaca")]
    assert pooled.stances_of_seeds("mini/alpaca-seeds") == [
        f"{RUNS}/mini/{run}/stances/{judge}.parquet" for judge in pooled.config.judges for run in ("alpaca", "alpaca-seed1")
    ]


def test_a_table_reads_the_replicates_of_its_runs_and_one_of_responses_does_not():
    found = inputs(runs=SEEDS)
    assert any("seed1" in path for path in found.table_scores("table_17"))
    responses = found.table_runs("table_4", "generations.parquet")
    assert f"{RUNS}/mini/alpaca/generations.parquet" in responses and not any("seed1" in path for path in responses)


def test_tables_read_the_judge_the_benchmarks_and_the_pairs_that_they_show():
    found = inputs()
    assert set(map(_name, found.table_stances("quality"))) == {"oracle.parquet"}
    own = inputs(tables={"quality": {"judge": None}})
    assert set(map(_name, own.table_stances("quality"))) == {"mini-judge.parquet"}
    assert found.table_scores("table_17")[0] == f"{RUNS}/mini/base/downstream/miniature-answers.parquet"
    assert found.table_pairs("table_8") == "results/miniature/synthetic/pairs.parquet"


def test_a_figure_reads_all_that_its_runs_descend_from_each_once():
    found = inputs().figure_values("figure_3")
    assert found[:2] == [f"{RUNS}/mini/base/values.parquet", f"{RUNS}/mini/alpaca/values.parquet"]
    assert len(found) == len(set(found)) == 5
    assert f"{RUNS}/mini/alpaca/dpo-synthetic-support-beta1.0/values.parquet" in inputs().figure_values("figure_13")


def test_a_benchmark_reads_its_own_task_files_and_data():
    assert inputs().task("miniature-answers") == ["config/tasks/miniature_answers.yaml", f"{WORLD}/benchmark.jsonl"]


def test_people_label_the_runs_that_the_config_names_and_all_by_default():
    named = inputs(human={"runs": ["mini/alpaca"]})
    assert named.human_sample("generations.parquet") == [f"{RUNS}/mini/alpaca/generations.parquet"]
    assert len(inputs().human_sample("generations.parquet")) == len(inputs().study.runs)


def test_without_labels_of_people_one_line_says_how_to_get_them():
    with pytest.raises(UserError, match=r"`human.labels` names no file: .* label results/miniature/human/label.html"):
        inputs().human_labels()


def test_the_scorecard_compares_with_the_files_that_the_config_names():
    assert inputs().reference() == [f"config/reference/paper_{name}.csv" for name in ("drift", "downstream", "faults")]
    assert inputs(scorecard={"faults": None}).reference() == [
        f"config/reference/paper_{name}.csv" for name in ("drift", "downstream")
    ]


def test_the_report_counts_what_every_dataset_lost():
    assert inputs().counts() == [
        "results/miniature/prompts/raw.counts.json",
        *(f"results/miniature/data/{name}.counts.json" for name in ("alpaca", "synthetic", "ultrafeedback", "wildchat")),
    ]


def test_named_inputs_become_options():
    named = {"prompts": "p.parquet", "generations": ["g", "h"], "pairs": "my; pairs"}
    assert options(named) == "--prompts p.parquet --generations g h --pairs 'my; pairs'"
    assert options({"parent": []}) == ""


def _name(path: str) -> str:
    return Path(path).name


def test_a_figure_with_verdicts_reads_the_drift_of_the_whole_study():
    assert inputs().figure_drift("figure_3") == ["results/miniature/drift.parquet"]
    assert inputs(figures={"figure_3": {"verdicts": False}}).figure_drift("figure_3") == []


def test_a_contrast_reads_the_stances_of_both_runs_under_the_seeds_that_they_share():
    pair = {"contrasts": {"c": {"pairs": {"A": ["mini/wildchat", "mini/alpaca"]}, "judge": "oracle"}}}
    assert inputs(**pair).contrast_stances("c") == [f"{RUNS}/mini/{run}/stances/oracle.parquet" for run in ("wildchat", "alpaca")]
    runs = ("wildchat", "wildchat-seed5", "alpaca", "alpaca-seed5")
    assert inputs(**pair, seeds=[0, 5]).contrast_stances("c") == [f"{RUNS}/mini/{run}/stances/oracle.parquet" for run in runs]
    judges = {"contrasts": {"c": {"runs": {"A": "mini/alpaca"}, "judges": ["oracle", "mini-judge"]}}}
    assert inputs(**judges).contrast_stances("c") == [
        f"{RUNS}/mini/alpaca/stances/{judge}.parquet" for judge in ("oracle", "mini-judge")
    ]
    one = {"contrasts": {"c": {"pairs": {"A": ["mini/base", "mini/alpaca"]}}}}
    assert len(inputs(**one, seeds=[0, 5]).contrast_stances("c")) == 2  # the base model has one seed
