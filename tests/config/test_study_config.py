import copy
from pathlib import Path

import pytest
import yaml

from valuedrift.config.reference import PAGE, SCHEMA, reference_page, schema
from valuedrift.config.study import load_study_config
from valuedrift.errors import UserError
from valuedrift.study import Study

MINIATURE = yaml.safe_load((Path(__file__).parents[2] / "config" / "miniature.yaml").read_text())


def edited(path: str, value) -> dict:
    """The miniature's config with one key set; `path` is dotted, list indices are numbers."""
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
        ("training.dpo.learning_rte", 1, "unknown key `training.dpo.learning_rte`; did you mean `learning_rate`?"),
        ("prompts.categories.Race and Racism.topik", "x", "unknown key `prompts.categories.Race and Racism.topik`; did you mean `topic`?"),
        ("runs.0.dta", "x", "unknown key `runs.0.dta`; did you mean `data`?"),
        ("judges.oracle.bckend", "x", "unknown key `judges.oracle.bckend`; did you mean `backend`?"),
        ("training.dpo.learning_rate", "fast", "`training.dpo.learning_rate`: Input should be a valid number"),
        ("training.dpo.beta", -1, "`training.dpo.beta`: Input should be greater than 0"),
        ("generation.samples", 0, "`generation.samples`: Input should be greater than or equal to 1"),
        ("training.sft.checkpoints", {"every": 5, "fractions": [1]}, "give either `every` or `fractions`"),
        ("training.sft.checkpoints", {"fractions": []}, "`training.sft.checkpoints.fractions`: List should have at least 1 item"),
        ("models", {}, "`models`: Dictionary should have at least 1 item"),
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
        ("tables.sft.columns.Alpaca", "mini/alpac", "`tables.sft`: unknown run `mini/alpac`; did you mean `mini/alpaca`?"),
        ("tables.standard.categories", ["Abortion"], "`tables.standard.categories`: unknown category `Abortion`"),
        ("tables.standard.categories", [], "`tables.standard.categories` is an empty list"),
        ("tables.sft.judge", "orakle", "`tables.sft.judge`: unknown judge `orakle`; did you mean `oracle`?"),
        ("figures.sft.category", "Imigration Policies", "unknown category `Imigration Policies`; did you mean `Immigration Policies`?"),
        ("judges.mini-judge.path", None, "the local backend needs `path`"),
        ("judges.mini-judge.prompt", "{prompt}", "`prompt` must contain {prompt}, {response} and {topic}"),
        ("style", {"colors": {"support": "red"}}, "`style.colors.support`: String should match pattern"),
        ("tables.sft.columns", {"SFT": {}}, "`tables.sft.columns.SFT"),
        ("tables.sft.metrics", [], "`tables.sft.metrics`: List should have at least 1 item"),
        ("tables.sft.columns.Alpaca", "mini/base", "mini/base is a base model, which has no drift"),
        ("training.ppo.max_response", 256, "max_response (256) leaves no room for a prompt in max_length (256)"),
        ("training.dpo.device_batch_size", 12, "batch_size 16 is no multiple of device_batch_size 12; the nearest below is 8"),
        ("training.ppo.minibatches", 3, "batch_size 32 cannot be cut into 3 minibatches"),
        ("judges.oracle.function", "valuedrift.miniature.orakle:judge", "`judges.oracle.function`: no module for valuedrift.miniature.orakle:judge"),
        ("judges.oracle.function", "nopkg.mod:f", "no module for nopkg.mod:f; write `module:name`"),
        ("judges.oracle.function", "json", "no module for json; write `module:name`"),
        ("datasets.alpaca.path", "results/miniature/world/alpacca.jsonl", "there is no file results/miniature/world/alpacca.jsonl"),
        ("datasets.alpaca.path", "data/alpaca.json", "`datasets.alpaca.path`: there is no file data/alpaca.json"),
        ("models.mini.path", "here/there/model", "`models.mini.path`: there is no folder here/there/model"),
    ],
)  # fmt: skip
def test_a_mistake_ends_in_one_line_that_names_the_key(path, value, message):
    with pytest.raises(UserError) as error:
        Study(load_study_config(edited(path, value))).check_files()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named():
    config = {key: value for key, value in MINIATURE.items() if key != "prompts"}
    with pytest.raises(UserError, match="the key `prompts` is missing"):
        load_study_config(config)


def test_the_built_in_study_has_the_runs_that_it_promises():
    study = Study(load_study_config(MINIATURE))
    study.check_files()
    assert [run.id for run in study.of("base", "sft")] == ["mini/base", "mini/wildchat", "mini/alpaca"]
    assert len(study.of("ppo")) == len(study.of("dpo")) == len(study.of("simpo")) == 3
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
    import re

    assert not re.fullmatch(Study.pattern([]), "")
    assert re.fullmatch(Study.pattern(["a.b"]), "a.b") and not re.fullmatch(Study.pattern(["a.b"]), "aXb")


def test_reference_page_and_schema_are_those_of_the_models():
    assert PAGE.read_text() == reference_page(), "run `make docs`"
    assert SCHEMA.read_text() == schema(), "run `make docs`"


def test_every_key_is_described():
    described = [line for line in reference_page().splitlines() if line.startswith("| `")]
    assert len(described) > 100
    assert [line for line in described if line.rstrip("| ").endswith(" |") or line.endswith("|  |")] == []
