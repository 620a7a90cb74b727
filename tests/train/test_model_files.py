"""The files of models: linked so that a project can be moved, and checked before anything is trained or sampled from them."""

import shutil
import tarfile
from random import Random

import pytest

from chaos.corrupt import empty, flip, truncate
from valuedrift.config.generate import GenerationConfig, GenerationJob
from valuedrift.config.models import ModelConfig
from valuedrift.config.train import BaseJob, ExternalJob
from valuedrift.errors import UserError
from valuedrift.generate import responses
from valuedrift.io.manifest import checked, read_manifest
from valuedrift.train import base, external
from valuedrift.train.model import final_of, load_model

FILES = ("model.safetensors", "config.json", "tokenizer.json")


def take_in(source, output):
    base.run(config=BaseJob(run="mini/base", model=ModelConfig(path=str(source)), seed=0), output=output)
    return output / "manifest.json"


@pytest.fixture
def project(tiny_world, tmp_path, monkeypatch):
    """A project with a model and two checkpoints below it, in which two runs took them in."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("models/one", "models/two"):
        shutil.copytree(tiny_world / "base", name)
    take_in("models/one", folder / "results/runs/base")
    checkpoints = [(0, "models/one", False), (9, "models/two", False)]
    job = ExternalJob(run="mini/ext", checkpoints=checkpoints, trust_remote_code=False, seed=0)
    external.run(config=job, output=folder / "results/runs/ext")
    return folder


def check_all(project):
    for run in ("base", "ext"):
        path = project / "results/runs" / run / "manifest.json"
        assert final_of(path)[0].resolve().is_relative_to(project)
        for checkpoint in read_manifest(path).checkpoints:
            weights = checked(path, checkpoint) / "model.safetensors"
            assert weights.resolve().is_relative_to(project)
    assert load_model(final_of(path)[0], ModelConfig(path="models/one")) is not None


def test_a_project_is_copied_archived_and_moved_with_its_models(project, tmp_path):
    copied, moved = tmp_path / "copied", tmp_path / "moved"
    shutil.copytree(project, copied, symlinks=True)
    with tarfile.open(tmp_path / "project.tar", "w") as archive:
        archive.add(project, "unpacked")
    project.rename(moved)
    with tarfile.open(tmp_path / "project.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    for place in (copied, moved, tmp_path / "unpacked"):
        check_all(place)


def test_a_model_outside_the_project_is_linked_where_it_is_and_checked(project, tmp_path):
    outside = shutil.copytree("models/one", tmp_path / "outside")
    manifest = take_in(outside, project / "results/runs/other")
    assert (manifest.parent / "final" / "model.safetensors").readlink() == outside / "model.safetensors"
    flip(outside / "model.safetensors", Random(0))
    with pytest.raises(
        UserError, match=r"final: model.safetensors has changed since the model was saved; put back .*outside/model.safeten"
    ):
        final_of(manifest)
    shutil.rmtree(outside)
    with pytest.raises(UserError, match=r"model.safetensors has been removed"):
        final_of(manifest)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_stops_training_and_sampling(project, some_prompts, name):
    manifest = project / "results/runs/base/manifest.json"
    flip(project / "models/one" / name, Random(1))
    told = f"final: {name} has changed since the model was saved"
    with pytest.raises(UserError, match=told):
        final_of(manifest)
    job = GenerationJob(run="mini/base", seed=0, dtype="float32", trust_remote_code=False, generation=GenerationConfig(samples=1))
    with pytest.raises(UserError, match=told):
        responses.run(config=job, manifest=manifest, prompts=some_prompts, output=project / "g.parquet")


def test_a_manifest_of_an_older_version_knows_the_weights_alone(project):
    manifest = read_manifest(path := project / "results/runs/base/manifest.json")
    older = manifest.model_copy(update={"checkpoints": [manifest.checkpoints[0].model_copy(update={"files": {}})]})
    path.write_text(older.model_dump_json())
    final_of(path)
    flip(project / "models/one/model.safetensors", Random(2))
    with pytest.raises(UserError, match=r"final: its weights are not those that .*manifest.json describes"):
        final_of(path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [truncate, empty, lambda path, _: path.unlink()])
def test_a_damaged_model_is_not_taken_in_and_named_in_one_line(project, name, damage):
    damage(project / "models/one" / name, Random(0))
    with pytest.raises(UserError, match=r"models/one") as raised:
        take_in("models/one", project / "results/runs/again")
    assert "\n" not in str(raised.value)
    assert not (project / "results/runs/again").exists() or not list((project / "results/runs/again").iterdir())


@pytest.mark.parametrize(
    ("content", "why"),
    [('{"run": "a"', "Invalid JSON"), ("", "Invalid JSON"), ('{"run": "a"}', "Field required"), (b"\xff\xfe{", "Invalid JSON")],
)
def test_a_broken_manifest_names_itself_and_the_command_that_makes_it_again(tmp_path, content, why):
    path = tmp_path / "manifest.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        UserError, match=rf"manifest.json is not a manifest of a run \(.*{why}.*make it again with `snakemake \S+/manifest.json --f"
    ):
        read_manifest(path)


@pytest.mark.parametrize(
    ("changes", "why"), [({"total_steps": -5}, "total_steps"), ({"total_steps": 3}, "checkpoints at the steps")]
)
def test_a_manifest_of_impossible_steps_is_refused(project, changes, why):
    path = project / "results/runs/ext/manifest.json"
    path.write_text(read_manifest(path).model_copy(update=changes).model_dump_json())
    with pytest.raises(UserError, match=why):
        read_manifest(path)
