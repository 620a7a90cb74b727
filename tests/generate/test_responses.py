import shutil

import numpy as np
import polars as pl
import pytest

from manifests import manifest, write_manifest_of
from overtaken import assert_overtaken_changes_nothing
from valuedrift.config.generate import GenerationConfig, GenerationJob
from valuedrift.errors import UserError
from valuedrift.generate import responses
from valuedrift.io.manifest import Manifest
from valuedrift.io.tables import GENERATIONS, PROMPTS


def job(run="mini/base", replicate=False, **values):
    generation = GenerationConfig(**{"samples": 3, "max_new_tokens": 12, "batch_size": 4, "temperature": 1.0, **values})
    return GenerationJob(run=run, seed=7, dtype="float32", trust_remote_code=False, generation=generation, replicate=replicate)


@pytest.fixture(scope="module")
def sampled(tiny_base, some_prompts, tmp_path_factory):
    path = tmp_path_factory.mktemp("generations") / "g.parquet"
    responses.run(config=job(), manifest=tiny_base / "manifest.json", prompts=some_prompts, output=path)
    return path


def test_a_response_depends_on_neither_batch_size_nor_order(sampled, tiny_base, some_prompts, tmp_path):
    first = GENERATIONS.read(sampled)
    assert first["response"].n_unique() > 10
    reversed_prompts = tmp_path / "reversed.parquet"
    PROMPTS.write(PROMPTS.read(some_prompts).reverse(), reversed_prompts)
    for batch_size in (1, 2, 18):
        responses.run(
            config=job(batch_size=batch_size),
            manifest=tiny_base / "manifest.json",
            prompts=reversed_prompts,
            output=tmp_path / "g.parquet",
        )
        again = GENERATIONS.read(tmp_path / "g.parquet")
        key = ["prompt_id", "sample"]
        assert again.sort(key).equals(first.sort(key))


def test_one_prompt_less_changes_no_other_response(sampled, tiny_base, some_prompts, tmp_path):
    fewer = PROMPTS.read(some_prompts).head(2)
    PROMPTS.write(fewer, tmp_path / "p.parquet")
    responses.run(config=job(), manifest=tiny_base / "manifest.json", prompts=tmp_path / "p.parquet", output=tmp_path / "g.parquet")
    kept = GENERATIONS.read(sampled).filter(pl.col("prompt_id").is_in(fewer["prompt_id"].to_list()))
    assert GENERATIONS.read(tmp_path / "g.parquet").equals(kept)


def test_a_job_on_a_lost_node_does_not_replace_the_responses_of_a_later_one(tiny_base, some_prompts, tmp_path, monkeypatch):
    output = tmp_path / "g.parquet"
    files = {"manifest": tiny_base / "manifest.json", "prompts": some_prompts, "output": output}
    assert_overtaken_changes_nothing(monkeypatch, responses, "responses", lambda: responses.run(config=job(), **files), output)


def test_samples_and_seeds(sampled):
    table = GENERATIONS.read(sampled)
    assert table.height == 18 and set(table["step"]) == {0}
    seeds = table.group_by("prompt_id").agg(pl.col("seed").sort())
    assert all(np.diff(row.to_list()).tolist() == [1, 1] for row in seeds["seed"])
    assert seeds["seed"].list.first().n_unique() == 6


def test_greedy_samples_are_alike_and_ignore_the_seed(tiny_base, some_prompts, tmp_path):
    responses.run(
        config=job(temperature=0), manifest=tiny_base / "manifest.json", prompts=some_prompts, output=tmp_path / "g.parquet"
    )
    per_prompt = GENERATIONS.read(tmp_path / "g.parquet").group_by("prompt_id").agg(pl.col("response").n_unique())
    assert set(per_prompt["response"]) == {1}


def test_the_finish_reason_says_whether_a_response_was_cut(sampled):
    table = GENERATIONS.read(sampled)
    cut = table.filter(pl.col("finish_reason") == "length")
    assert set(cut["n_tokens"]) == {12}
    assert (table.filter(pl.col("finish_reason") == "stop")["n_tokens"] < 12).all()


def test_step_0_is_the_parents_last_step_copied(sampled, tiny_base, some_prompts, tmp_path):
    child = tmp_path / "child"
    for step in (3, 8):
        shutil.copytree(tiny_base / "final", child / "trajectory" / f"step-{step}")
    arguments = {"manifest": write_manifest_of(child, [3, 8]), "prompts": some_prompts, "parent": sampled}
    responses.run(config=job("mini/x"), output=child / "g.parquet", **arguments)
    table = GENERATIONS.read(child / "g.parquet")
    assert table["step"].unique().sort().to_list() == [0, 3, 8]
    parent = GENERATIONS.read(sampled).drop("run")
    for step in (0, 3):  # the same weights, so that common random numbers give the same responses
        own = table.filter(pl.col("step") == step).drop("run", "step")
        assert own.equals(parent.drop("step"))
    shutil.rmtree(child / "trajectory" / "step-8")
    with pytest.raises(UserError, match="step-8 is missing"):
        responses.run(config=job("mini/x"), output=child / "g2.parquet", **arguments)
    assert not (child / "g2.parquet").exists()


def test_a_second_sampling_is_of_the_last_checkpoint_with_chance_of_its_own(sampled, tiny_base, some_prompts, tmp_path):
    files = {"prompts": some_prompts, "output": tmp_path / "base.parquet"}
    responses.run(config=job(replicate=True), manifest=tiny_base / "manifest.json", **files)
    first, again = GENERATIONS.read(sampled), GENERATIONS.read(tmp_path / "base.parquet")
    assert not set(first["seed"]) & set(again["seed"]) and (first["response"] != again["response"]).mean() > 0.5
    child = tmp_path / "child"
    for step in (3, 8):
        shutil.copytree(tiny_base / "final", child / "trajectory" / f"step-{step}")
    files |= {"output": tmp_path / "child.parquet", "parent": tmp_path / "base.parquet"}
    responses.run(config=job("mini/x", replicate=True), manifest=write_manifest_of(child, [3, 8]), **files)
    table = GENERATIONS.read(tmp_path / "child.parquet")
    assert table["step"].unique().sort().to_list() == [0, 8]
    for step in (0, 8):  # the same weights
        assert table.filter(pl.col("step") == step).drop("run", "step").equals(again.drop("run", "step"))


def test_a_run_without_a_parent_is_sampled_again_at_both_ends():
    def steps(of, parent):
        return [saved.step for saved in responses.ends(Manifest.model_validate(manifest("m", of) | {"parent": parent}))]

    assert steps([0], None) == [0] and steps([0, 5, 9], None) == [0, 9] and steps([5, 9], "m/base") == [9]
