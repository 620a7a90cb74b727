import copy
import json
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import yaml

from valuedrift.config.load import load_study_config, merge, read_files
from valuedrift.config.reference import PAGE, SCHEMA, reference_page, schema
from valuedrift.errors import UserError
from valuedrift.study.inputs import Inputs
from valuedrift.study.jobs import Jobs
from valuedrift.study.load import load_study
from valuedrift.study.study import Study, pattern

CONFIG = Path(__file__).parents[2] / "config"
PAPER, REFERENCE = CONFIG / "paper.yaml", CONFIG / "reference" / "paper_drift.csv"
MINIATURE = yaml.safe_load((CONFIG / "miniature.yaml").read_text())


def edited(path: str, value) -> dict:
    """Return the miniature's config with one key set; `path` is dotted, list indices are numbers."""
    config = copy.deepcopy(MINIATURE)
    *way, last = path.split(".")
    node = config
    for part in way:
        node = node[int(part)] if part.isdigit() else node[part]
    node[int(last) if last.isdigit() else last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("generaton", {}, "unknown key `generaton`; did you mean `generation`?"),
        ("generation.canary", False, "unknown key `generation.canary`; it is now called `generation.fingerprint`"),
        ("training.dpo.learning_rte", 1, "unknown key `training.dpo.learning_rte`; did you mean `learning_rate`?"),
        ("prompts.categories.Race and Racism.topik", "x", "unknown key `prompts.categories.Race and Racism.topik`; did you mean `topic`?"),
        ("runs.0.dta", "x", "unknown key `runs.0.dta`; did you mean `data`?"),
        ("judges.oracle.bckend", "x", "unknown key `judges.oracle.bckend`; did you mean `backend`?"),
        ("training.dpo.learning_rate", "fast", "`training.dpo.learning_rate`: Input should be a valid number"),
        ("training.dpo.beta", -1, "`training.dpo.beta`: Input should be greater than 0"),
        ("generation.samples", 0, "`generation.samples`: Input should be greater than or equal to 1"),
        ("training.sft.checkpoints", {"every": 5, "fractions": [1]}, "give either `every` or `fractions`"),
        ("training.sft.checkpoints", {"fractions": []}, "`training.sft.checkpoints.fractions`: List should have at least 1 item"),
        ("models", {}, "give `models` or `external`: there is nothing to measure"),
        ("judges", {}, "`judges`: Dictionary should have at least 1 item"),
        ("study", "a/b", "`study`: String should match pattern"),
        ("runs.0.data", [], "`data` is an empty list: name at least one"),
        ("runs.0.data", "wildchatt", "`runs.0.data`: unknown dataset `wildchatt`; did you mean `wildchat`?"),
        ("runs.1.parent", "mini/alpacca", "`runs.1.parent`: unknown run `mini/alpacca`; did you mean `mini/alpaca`?"),
        ("runs.0.data", "synthetic", "sft cannot train on `synthetic`, which is preference pairs"),
        ("runs.2.data", "alpaca", "ppo cannot train on `alpaca`, which is an SFT set"),
        ("runs.1.chosen", None, "needs `chosen: support` or `chosen: oppose`"),
        ("runs.2.chosen", "support", "takes no `chosen`"),
        ("runs.2.set", {"kll": 1}, "unknown key `runs.2.set.kll`; did you mean `kl`?"),
        ("runs.2.data", ["ultrafeedback", "ultrafeedback"], "`runs.2` makes the run `mini/alpaca/ppo-ultrafeedback`, which `runs.2` makes too"),
        ("datasets.final", {"format": "alpaca", "path": "x.json"}, "`datasets.final`: this name is taken"),
        ("tables.table_9.columns.Alpaca", "mini/alpac", "`tables.table_9`: unknown run `mini/alpac`; did you mean `mini/alpaca`?"),
        ("tables.table_1.categories", ["Abortion"], "`tables.table_1.categories`: unknown category `Abortion`"),
        ("tables.table_1.categories", [], "`tables.table_1.categories` is an empty list"),
        ("tables.table_9.judge", "orakle", "`tables.table_9.judge`: unknown judge `orakle`; did you mean `oracle`?"),
        ("contrasts.sides.pairs", {"A": ["mini/alpaca", "mini/wildchatt"]}, "`contrasts.sides`: unknown run `mini/wildchatt`; did you mean `mini/wildchat`?"),
        ("contrasts.sides.pairs", {"A": ["mini/alpaca"]}, "`contrasts.sides.pairs.A`: List should have at least 2 items"),
        ("contrasts.sides.pairs", {"A": ["mini/alpaca", "mini/alpaca"]}, "`A` compares mini/alpaca with itself"),
        ("contrasts.judges.judges", ["oracle", "mini-juge"], "`contrasts.judges`: unknown judge `mini-juge`; did you mean `mini-judge`?"),
        ("contrasts.judges.judges", None, "give `pairs` of runs, or `runs` and two `judges`"),
        ("contrasts.judges.judge", "oracle", "give `judge` or `judges`, not both"),
        ("contrasts.sides.of", "drft", "`contrasts.sides.of`: Input should be 'value' or 'drift'"),
        ("figures.forest_sides.contrast", "side", "`figures.forest_sides.contrast`: unknown contrast `side`; did you mean `sides`?"),
        ("contrasts.sides.categories", ["Immigration Policies"] * 2, "`contrasts.sides.categories` has Immigration Policies twice"),
        ("contrasts", ["sides"], "`contrasts`: Input should be a valid dictionary"),
        ("contrasts.sides.categories", ["Abortion"], "`contrasts.sides.categories`: unknown category `Abortion`"),
        ("contrasts.c", {"of": "drift", "pairs": {"A": ["mini/base", "mini/alpaca"]}}, "mini/base is a base model, which has no drift; compare values"),
        ("figures.figure_2.category", "Imigration Policies", "unknown category `Imigration Policies`; did you mean `Immigration Policies`?"),
        ("judges.mini-judge.path", None, "the local backend needs `path`"),
        ("judges.mini-judge.prompt", "{prompt}", "`prompt` must contain {prompt}, {response} and {topic}"),
        ("style", {"colors": {"support": "red"}}, "`style.colors.support`: String should match pattern"),
        ("tables.table_9.columns", {"SFT": {}}, "`tables.table_9.columns.SFT"),
        ("tables.table_9.metrics", [], "`tables.table_9.metrics`: List should have at least 1 item"),
        ("tables.table_9.verdicts", False, "`tables.table_9.verdicts: false` shows times without the verdicts"),
        ("tables.t", {"columns": {"A": "mini/alpaca"}, "metrics": ["half"], "verdicts": False}, "`tables.t.verdicts: false` shows times"),
        ("tables.table_9.columns.Alpaca", "mini/base", "mini/base is a base model, which has no drift"),
        ("tables.sensitivity.rows.SFT.Alpaca", "mini/base", "mini/base is a base model, which has no drift"),
        ("training.ppo.max_response", 256, "max_response (256) leaves no room for a prompt in max_length (256)"),
        ("training.dpo.device_batch_size", 12, "batch_size 16 is not a multiple of device_batch_size 12; the nearest below is 8"),
        ("training.ppo.minibatches", 3, "batch_size 32 cannot be cut into 3 minibatches"),
        ("judges.oracle.function", "valuedrift.miniature.orakle:judge", "`judges.oracle.function`: no module for valuedrift.miniature.orakle:judge"),
        ("judges.oracle.function", "nopkg.mod:f", "no module for nopkg.mod:f; write `module:name`"),
        ("judges.oracle.function", "json", "no module for json; write `module:name`"),
        ("judges.oracle.function", "valuedrift.miniature.oracle:juge", "its module has no function of this name"),
        ("judges.oracle.path", "x", "the function backend takes no `path`"),
        ("judges.api", {"backend": "openai"}, "the openai backend needs `chat`"),
        ("judges.api", {"backend": "openai", "chat": "gramar"}, "`judges.api.chat`: unknown chat model `gramar`; did you mean `grammar`?"),
        ("judges.api", {"backend": "openai", "chat": "grammar", "reading": "sampling"}, "sampling needs `chats.grammar.temperature` above 0"),
        ("judges.mini-judge", {"path": "results/miniature/world/judge", "prompt": "{prompt}{response}{topic}", "orders": "all"},
         "`orders` needs {options} in `prompt`"),
        ("chats.grammar.spending_cap", 5, "`spending_cap` needs `price`"),
        ("human", {"runs": ["mini/alpacca"]}, "`human.runs`: unknown run `mini/alpacca`; did you mean `mini/alpaca`?"),
        ("human", {"labels": ["nobody.csv"]}, "`human.labels`: there is no file nobody.csv; the labelling page exports one"),
        ("datasets.alpaca.path", "results/miniature/world/alpacca.jsonl", "there is no file results/miniature/world/alpacca.jsonl"),
        ("datasets.alpaca.path", "data/alpaca.json", "`datasets.alpaca.path`: there is no file data/alpaca.json"),
        ("models.mini.path", "here/there/model", "`models.mini.path`: there is no folder here/there/model"),
    ],
)  # fmt: skip
def test_a_mistake_ends_in_one_line_that_names_the_key(path, value, message):
    with pytest.raises(UserError) as error:
        load_study(edited(path, value))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("mini/alpaca-seed5", "`A` compares mini/alpaca-seed5 with itself: a run is compared under each seed that both have"),
        ("mini/wildchat-seeds", "write `mini/wildchat`, which stands for all of them"),
    ],
)
def test_a_run_is_named_without_its_seeds(second, message):
    with pytest.raises(UserError) as error:
        load_study(edited("contrasts.c", {"pairs": {"A": ["mini/alpaca", second]}}) | {"seeds": [0, 5]})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_missing_key_is_named():
    config = {key: value for key, value in MINIATURE.items() if key != "prompts"}
    with pytest.raises(UserError, match="the key `prompts` is missing"):
        load_study_config(config)


def test_the_miniature_has_its_runs():
    study = load_study(MINIATURE)
    assert [run.id for run in study.of("base", "sft")] == ["mini/base", "mini/wildchat", "mini/alpaca"]
    assert [len(study.of(algorithm)) for algorithm in ("ppo", "dpo", "simpo")] == [3, 5, 3]
    assert set(study.rewards) == {f"mini/alpaca/{data}" for data in ("synthetic-support", "synthetic-oppose", "ultrafeedback")}


def test_blocks_may_stand_in_any_order_and_overrides_reach_only_their_runs():
    config = edited("runs", [{"parent": "mini/alpaca", "algorithm": "dpo", "data": "ultrafeedback", "set": {"beta": 0.5}, "label": "b5"},
                             *MINIATURE["runs"]])  # fmt: skip
    study = Study(load_study_config(config))
    assert study.runs["mini/alpaca/dpo-ultrafeedback-b5"].training.beta == 0.5
    assert study.runs["mini/alpaca/dpo-ultrafeedback"].training.beta == 0.1
    assert [run.id for run in study.runs["mini/alpaca/dpo-ultrafeedback-b5"].lineage] == [
        "mini/base", "mini/alpaca", "mini/alpaca/dpo-ultrafeedback-b5",
    ]  # fmt: skip


def test_a_run_can_start_from_a_base_model_without_sft():
    config = edited("runs", [*MINIATURE["runs"], {"parent": "mini/base", "algorithm": "dpo", "data": "ultrafeedback"}])
    assert Study(load_study_config(config)).runs["mini/dpo-ultrafeedback"].parent.id == "mini/base"


def test_no_names_match_nothing():
    assert not re.fullmatch(pattern([]), "")
    assert re.fullmatch(pattern(["a.b"]), "a.b") and not re.fullmatch(pattern(["a.b"]), "aXb")


def test_reference_page_and_schema_are_those_of_the_models():
    assert PAGE.read_text() == reference_page(), "run `make docs`"
    assert SCHEMA.read_text() == schema(), "run `make docs`"


def test_every_key_is_described():
    described = [line for line in reference_page().splitlines() if line.startswith("| `")]
    assert len(described) > 100
    assert [line for line in described if line.rstrip("| ").endswith(" |") or line.endswith("|  |")] == []


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split(":")[0].strip("# "))
def test_every_example_of_the_reference_page_is_a_block_for_the_miniature(text):
    block = yaml.safe_load(text)
    runs = Study(load_study_config(MINIATURE)).runs
    config = merge(copy.deepcopy(MINIATURE), block | {"runs": MINIATURE["runs"] + block.get("runs", [])})
    study = load_study(config)
    added = len(study.runs) - len(runs)
    assert added > 0 or not {"runs", "models", "external", "seeds"} & block.keys()


def test_there_are_examples_of_every_kind():
    keys = {key for text in EXAMPLES for key in yaml.safe_load(text)}
    assert {"models", "datasets", "runs", "prompts", "judges", "seeds", "mixtures", "external"} <= keys


def with_runs(*blocks, **top):
    config = {**copy.deepcopy(MINIATURE), **top}
    config["runs"] = [*MINIATURE["runs"], *blocks]
    return load_study(config)


def test_a_run_descends_from_its_parent_under_the_same_seed():
    sft = {"parent": "mini/base", "algorithm": "sft", "data": "alpaca", "seeds": [0, 5], "label": "s"}
    dpo = {"parent": "mini/alpaca-s", "algorithm": "dpo", "data": "ultrafeedback", "seeds": [0, 5, 7]}
    study = with_runs(dpo, sft)
    assert study.replicates("mini/alpaca-s") == ["mini/alpaca-s", "mini/alpaca-s-seed5"]
    first, second, third = study.replicates("mini/alpaca-s/dpo-ultrafeedback")
    assert [study.runs[r].parent.id for r in (first, second, third)] == ["mini/alpaca-s", "mini/alpaca-s-seed5", "mini/alpaca-s"]
    assert second == "mini/alpaca-s-seed5/dpo-ultrafeedback-seed5" and [study.runs[r].seed for r in (first, second, third)] == [
        0,
        5,
        7,
    ]
    assert study.replicates("mini/alpaca") == ["mini/alpaca"]


def test_the_first_seed_keeps_the_plain_names_so_that_more_seeds_rerun_nothing():
    one, three = Study(load_study_config(MINIATURE)), with_runs(seeds=[0, 1, 2])
    assert set(one.runs) < set(three.runs) and len(three.runs) == 3 * len(one.runs) - 2  # the base model is there once
    for run in one.runs:
        if one.runs[run].training:
            assert Jobs(one).training(run)[1] == Jobs(three).training(run)[1]
    assert len(three.rewards) == 3 * len(one.rewards)


def test_each_training_seed_has_responses_of_its_own_and_the_first_the_same_as_alone():
    one, three = Jobs(load_study(MINIATURE)), Jobs(with_runs(seeds=[0, 1, 2]))

    def seed(jobs, run):
        return json.loads(str(jobs.generation(run).config))["seed"]

    assert seed(three, "mini/alpaca") == seed(three, "mini/base") == seed(one, "mini/alpaca") == 0
    others = [seed(three, f"mini/alpaca-seed{n}") for n in (1, 2)]
    assert len({0, *others}) == 3
    child = "mini/alpaca-seed1/dpo-ultrafeedback-seed1"  # draws as its parent does, which it is compared with
    assert seed(three, child) == others[0]


def test_a_table_gets_the_runs_of_all_seeds_and_a_figure_their_lineages():
    jobs = Jobs(with_runs(seeds=[0, 1]))
    table = json.loads(jobs.table("table_9"))
    assert table["columns"][0]["run"] == "mini/wildchat-seeds"
    panel = json.loads(jobs.figure("figure_3"))["panels"][0]
    assert panel["base"] == "mini/base" and [(phase["run"], phase["seeds"]) for phase in panel["phases"]] == [
        ("mini/alpaca-seeds", ["mini/alpaca", "mini/alpaca-seed1"]),
        ("mini/alpaca/ppo-ultrafeedback-seeds", ["mini/alpaca/ppo-ultrafeedback", "mini/alpaca-seed1/ppo-ultrafeedback-seed1"]),
    ]  # fmt: skip


def test_what_pools_seeds_has_a_name_that_no_run_may_have():
    study = with_runs(seeds=[0, 1])
    assert study.pooled["mini/alpaca-seeds"] == ["mini/alpaca", "mini/alpaca-seed1"]
    assert (study.shown("mini/alpaca"), study.shown("mini/base")) == ("mini/alpaca-seeds", "mini/base")
    assert set(study.counted_drifts) == set(study.pooled) and len(study.drifts) == 3 * len(study.counted_drifts)
    report = json.loads(Jobs(study).report())
    assert report["drifts"] == study.counted_drifts and report["algorithms"]["mini/alpaca-seeds"] == "SFT"
    taken = {"parent": "mini/base", "algorithm": "sft", "data": "alpaca", "label": "seeds"}
    with pytest.raises(UserError, match=r"makes the run `mini/alpaca-seeds`, as which the seeds of `mini/alpaca` are pooled"):
        with_runs(taken, seeds=[0, 1])


def test_a_sweep_makes_a_run_for_each_value_and_a_mixture_one_for_each_share():
    sweep = {"parent": "mini/alpaca", "algorithm": "ppo", "data": "ultrafeedback", "sweep": {"kl": [0.01, 1], "epochs": [2]}}
    gap = {"parent": "mini/alpaca", "algorithm": "dpo", "data": "gap", "chosen": "support"}
    study = with_runs(sweep, gap, mixtures={"gap": {"gap": "synthetic", "rest": "ultrafeedback", "shares": [0, 0.25]}})
    assert study.runs["mini/alpaca/ppo-ultrafeedback-kl0.01-epochs2"].training.kl == 0.01
    assert study.runs["mini/alpaca/dpo-gap-0.25-support"].dataset == "gap-0.25"
    assert {"gap-0", "gap-0.25", "synthetic", "ultrafeedback"} <= set(study.datasets)


@pytest.mark.parametrize(
    ("block", "top", "message"),
    [
        ({"data": "gap"}, {"mixtures": {"gap": {"gap": "ultrafeedback", "rest": "synthetic", "shares": [1]}}},
         "`mixtures.gap.gap`: ultrafeedback is not a synthetic preference set"),
        ({"data": "gap", "chosen": None}, {"mixtures": {"gap": {"gap": "synthetic", "rest": "ultrafeedback", "shares": [1]}}},
         "the dataset `gap-1` (mixture) needs `chosen: support` or `chosen: oppose`"),
        ({"data": "ultrafeedback", "chosen": None}, {"models": {"m": {"path": "org/name"}, **MINIATURE["models"]}},
         "`models.m.revision`: there is no org/name here; for the hub, pin it to a commit"),
        ({"data": "ultrafeedback", "chosen": None}, {"external": {"e": {"checkpoints": {"5": "a", "7": "b"}}}}, "must have step 0"),
        ({"data": "ultrafeedback", "chosen": None}, {"drift": {"reaches": {"wildcat": "extremum"}}},
         "`drift.reaches`: unknown dataset `wildcat`; did you mean `wildchat`?"),
        ({"data": "ultrafeedback", "chosen": None}, {"drift": {"totals": {"wildcat": "grid"}}},
         "`drift.totals`: unknown dataset `wildcat`; did you mean `wildchat`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_mixtures_models_or_external_checkpoints_names_the_key(block, top, message):
    run = {"parent": "mini/alpaca", "algorithm": "dpo", "chosen": "support", "label": "x", **block}
    with pytest.raises(UserError) as error:
        with_runs(run, **top)
    assert message in str(error.value)


def test_external_checkpoints_are_a_run_that_others_can_start_from():
    external = {
        "e": {"dtype": "bfloat16", "checkpoints": {0: "results/miniature/world/pretraining/0", 10: "results/miniature/world/base"}}
    }
    study = with_runs({"parent": "e/external", "algorithm": "sft", "data": "alpaca"}, external=external)
    assert "e/external" in study.drifting and study.runs["e/external/alpaca"].parent.id == "e/external"
    job = json.loads(Jobs(study).external("e/external"))
    assert [step for step, _, _ in job["checkpoints"]] == [0, 10]
    assert json.loads(Jobs(study).training("e/external/alpaca")[1])["model"]["dtype"] == "bfloat16"


def test_the_papers_study_has_the_runs_that_it_prints():
    study = load_study(read_files([PAPER]))
    count = Counter(run.algorithm for run in study.runs.values())
    assert count == {"base": 4, "sft": 8, "ppo": 15, "dpo": 15, "simpo": 15} and len(study.rewards) == 12
    ours = {"sensitivity", *(f"contrast_{name}" for name in study.config.contrasts)}
    assert {f"table_{i}" for i in range(1, 18)} == study.config.tables.keys() - ours
    ours = {f"forest_{name}" for name in study.config.contrasts}
    assert {*(f"figure_{i}" for i in (2, 3, 4, 6, *range(8, 15))), *ours} == study.config.figures.keys()
    printed = {tuple(row.values()) for row in pl.read_csv(REFERENCE).select("model", "sft_dataset", "phase", "preference_dataset",
               "chosen").unique().fill_null("").iter_rows(named=True)}  # fmt: skip
    runs = json.loads(Jobs(study).scorecard())["runs"]
    ours = {tuple(run[key] or "" for key in ("model", "sft_dataset", "phase", "preference_dataset", "chosen")) for run in runs}
    assert printed <= ours
    settings = {name: getattr(study.config.training, name).model_dump() for name in ("sft", "reward", "ppo", "dpo", "simpo")}
    assert [settings[name]["learning_rate"] for name in settings] == [2e-5, 1e-5, 5e-7, 1e-5, 5e-7]
    assert [settings[name]["batch_size"] for name in settings] == [128, 128, 32, 32, 32]


def test_only_the_keys_of_a_chat_model_that_decide_its_answers_rerun_steps():
    def tracked(**changes):
        config = read_files([PAPER])
        config["chats"]["qwen-72b"] |= changes
        jobs = Jobs(load_study(config))
        return [jobs.chat_job(job).tracked for job in (jobs.answers(), jobs.questions(), jobs.value_laden())]

    assert tracked(concurrency=3, timeout=5, server=["serve", "{folder}", "{port}"]) == tracked()
    assert not set(tracked(temperature=0.5)) & set(tracked())


def test_a_chat_model_that_is_served_from_a_folder_is_downloaded_before():
    study = load_study(read_files([PAPER]))
    chat = study.chat("qwen-72b")
    folder = next(folder for folder in study.hub_models if "Qwen2.5-72B" in folder)
    assert folder in chat.server and Inputs(study).chat("answers") == [folder]


def test_a_reward_model_has_the_seed_of_its_run():
    one = {"parent": "mini/alpaca", "algorithm": "ppo", "data": "ultrafeedback", "seeds": [1, 2], "label": "late"}
    study = with_runs(one)
    for run in study.of("ppo"):
        assert study.rewards[run.reward].seed == run.seed


def test_a_table_that_is_null_is_removed():
    config = copy.deepcopy(MINIATURE)
    config["tables"]["table_9"] = None
    assert "table_9" not in load_study(config).config.tables


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("seeds", [0, 0], "`seeds` has a seed twice: name each once"),
        ("runs.1.algorithm", ["ktoo", "dpo"], "`runs.1.algorithm.0`: unknown algorithm `ktoo`; did you mean `kto`?"),
        ("seed", -1, "`seed`: Input should be greater than or equal to 0"),
        ("judge", "orakle", "`judge`: unknown judge `orakle`; did you mean `oracle`?"),
        ("runs.3.sweep", {"lora": [{"rank": 4}]}, "`sweep.lora`: its values become names"),
        ("runs.3.set", {"beta": 0.5}, "`beta` is both in `set` and in `sweep`"),
        ("figures.figure_13.parameter", "bta", "the training of mini/alpaca/dpo-synthetic-support-beta0.03 has no number `bta`"),
        ("figures.figure_13.parameter", "learning_rate", "two of them have the same learning_rate"),
        ("figures.figure_13.runs", ["mini/alpaca/dpo-synthetic-support", "mini/alpaca/simpo-synthetic-support"], "these differ in more than beta"),
        ("synthetic.sources", ["alpaca"], "`synthetic.sources`: alpaca is not a preference set with labels"),
        ("synthetic.sources", ["synthetic"], "`synthetic.sources`: synthetic is not a preference set with labels"),
        ("synthetic.values", {"Abortion": {"support": "a", "oppose": "b"}}, "`synthetic.values`: unknown category `Abortion`"),
        ("tables.table_8.dataset", "ultrafeedback", "`tables.table_8.dataset`: ultrafeedback is not a synthetic set"),
        ("scorecard.models", {"mimi": "llama3-3b"}, "`scorecard.models`: unknown model `mimi`; did you mean `mini`?"),
        ("chats.grammar.base_url", "localhost:8000", "`base_url` is no address: write http:// or https://, a host"),
        ("chats.grammar.base_url", "http://localhost:99999/v1", "`base_url` is no address"),
        ("chats.grammar.base_url", "http://local host/v1", "`base_url` is no address"),
        ("chats.grammar.key_variable", "sk-abc", "`key_variable` is the name of an environment variable"),
        ("models.mini.revision", "0" * 40, "results/miniature/world/base is a folder here, which has no revisions"),
        ("datasets.gap-1", {"format": "alpaca", "path": "a.json"}, "the name `gap-1` is given twice"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_with_a_mixture_ends_in_one_line_that_names_the_key(path, value, message):
    config = edited(path, value)
    config["mixtures"] = {"gap": {"gap": "synthetic", "rest": "ultrafeedback", "shares": [1]}}
    with pytest.raises(UserError) as error:
        load_study(config)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(UserError, match="`base_url` holds a user or a password: put the key into the environment var") as error:
        load_study(edited("chats.grammar.base_url", "https://me:s3cret@localhost:8000/v1"))
    assert "s3cret" not in str(error.value)


def test_access_to_every_dataset_of_the_papers_benchmarks_is_checked_before_anything_runs():
    jobs = Jobs(load_study(read_files([PAPER])))
    asked = json.loads(jobs.access([], list(jobs.config.downstream.tasks)))["datasets"]
    assert [item["name"] for item in asked] == ["Idavidrein/gpqa", "Rowan/hellaswag", "baber/piqa", "cais/mmlu"]
