import json
import os
import shutil
from pathlib import Path
from random import Random

import pytest
import yaml

from chaos.corrupt import flip, truncate
from manifests import manifest
from valuedrift.cli import dispatch
from valuedrift.config.load import load_study_config, merge
from valuedrift.errors import UserError
from valuedrift.io.tables import GENERATIONS
from valuedrift.manage.prune import prune, run, size, trajectories
from valuedrift.study.study import Study

CONFIG = Path(__file__).parents[2] / "config" / "miniature.yaml"
RUN = "mini/wildchat"
BYTES = 1000


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without a workflow, and a double of Snakemake: all responses are of this config. See also test_pruned_study.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("valuedrift.manage.prune.sampled_again", lambda config, sampled: set())


def study(**changes):
    return Study(load_study_config(merge(yaml.safe_load(CONFIG.read_text()), changes)))


def trained(folder: Path, steps=(1, 2)):
    """What a training leaves: a trajectory whose last checkpoint is the final model under a second name, and the manifest."""
    for step in steps:
        (folder / "trajectory" / f"step-{step}").mkdir(parents=True)
        (folder / "trajectory" / f"step-{step}" / "model.safetensors").write_bytes(bytes(BYTES))
    (folder / "final").mkdir()
    os.link(folder / "trajectory" / f"step-{steps[-1]}" / "model.safetensors", folder / "final" / "model.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest(RUN, steps)))
    return folder


def measured(folder: Path, steps=(1, 2)):
    row = {"run": RUN, "prompt_id": "p", "sample": 0, "response": "", "n_tokens": 1, "finish_reason": "stop", "seed": 0}
    GENERATIONS.write(GENERATIONS.frame([{**row, "step": step} for step in steps]), folder / "generations.parquet")


def kept(**changes):
    return {one.name: one.kept for one in trajectories(study(**changes))}


def test_what_is_measured_goes_and_the_final_model_stays(capsys):
    folder, reward = trained(Path(study().folder_of(RUN))), trained(Path("results/miniature/rewards") / next(iter(study().rewards)))
    measured(folder)
    shutil.copytree(folder / "trajectory", folder / ".unfinished" / "trajectory", copy_function=os.link)
    dispatch("valuedrift.manage", {"prune": ""}, ["prune", "--config", str(CONFIG), "--dry-run"])
    assert "2 trajectories would be deleted, 2.0 kB; 0 kept" in capsys.readouterr().out
    assert (folder / "trajectory" / "step-1").exists()
    run(config=[CONFIG])
    # The last checkpoint of each is the final model too, and frees nothing.
    assert "2 trajectories deleted, 2.0 kB; 0 kept" in capsys.readouterr().out
    for one in (folder, reward):
        assert (one / "final" / "model.safetensors").stat().st_size == BYTES
        assert sorted(path.name for path in one.iterdir()) == sorted(
            ["final", "manifest.json", "pruned.json"] + ["generations.parquet"] * (one == folder)
        )
    assert json.loads((folder / "pruned.json").read_text()) == {"bytes": BYTES, "hash": "hash 2", "steps": [1, 2]}
    run(config=[CONFIG])
    assert capsys.readouterr().out == "no trajectories are on disk\n"


def test_what_is_not_measured_wholly_and_lately_stays_and_says_why():
    folder = trained(Path(study().folder_of(RUN)))
    assert kept() == {RUN: "is not measured yet"}
    measured(folder, steps=(0, 1))
    assert kept() == {RUN: "1 of 2 checkpoints are not measured yet"}
    measured(folder, steps=(0, 1, 2))
    assert kept() == {RUN: ""}
    later = (folder / "generations.parquet").stat().st_mtime_ns + 10**9
    os.utime(folder / "manifest.json", ns=(later, later))
    assert kept() == {RUN: "its responses are older than its training"}
    (folder / "manifest.json").unlink()
    assert kept() == {RUN: "its training is not finished"}


def test_a_run_that_is_to_be_sampled_twice_stays_until_it_is():
    folder, twice = trained(Path(study().folder_of(RUN))), {"generation": {"replicates": 2}}
    measured(folder, steps=(0, 1, 2))
    assert kept() == {RUN: ""} and kept(**twice) == {RUN: "its second sampling is not done yet"}
    (folder / "replicate").mkdir()
    measured(folder / "replicate", steps=(0,))
    assert kept(**twice) == {RUN: "1 of 1 checkpoints are not measured yet"}
    measured(folder / "replicate", steps=(0, 2))
    assert kept(**twice) == {RUN: ""}


def test_a_run_with_a_broken_table_or_manifest_stays_and_the_file_is_named_once(capsys):
    folder = trained(Path(study().folder_of(RUN)))
    measured(folder, steps=(0, 1, 2))
    flip(folder / "generations.parquet", Random(0), 50)
    assert kept() == kept() == {RUN: "its responses cannot be read"}
    told = capsys.readouterr().err
    assert told.startswith(f"warning: {folder}/generations.parquet is damaged") and told.count("\n") == 1
    truncate(folder / "manifest.json", Random(0))
    assert kept() == {RUN: "its manifest cannot be read"}
    assert f"{folder}/manifest.json --force --profile" in capsys.readouterr().err
    run(config=[CONFIG])
    assert (folder / "trajectory" / "step-1").exists()


def test_a_run_whose_responses_are_of_another_config_stays(capsys, monkeypatch):
    folder = trained(Path(study().folder_of(RUN)))
    measured(folder)
    monkeypatch.setattr("valuedrift.manage.prune.sampled_again", lambda config, sampled: set(sampled))
    run(config=[CONFIG])
    assert "kept: its responses are not of this config" in capsys.readouterr().out
    assert (folder / "trajectory" / "step-1").exists()


def test_checkpoints_that_somebody_else_trained_stay(tmp_path):
    values = yaml.safe_load(CONFIG.read_text())
    values["external"] = {"theirs": {"path": "some/model", "checkpoints": {0: "a" * 40, 10: "b" * 40}}}
    foreign = Study(load_study_config(values))
    folder = trained(Path(foreign.folder_of("theirs/external")), steps=(0, 10))
    measured(folder, steps=(0, 10))
    assert {one.name: one.kept for one in trajectories(foreign)} == {"theirs/external": "was trained elsewhere"}


def test_a_deletion_that_was_cut_short_leaves_nothing_half(monkeypatch):
    folder = trained(Path(study().folder_of(RUN)))
    measured(folder)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        prune(next(trajectories(study())))
    assert not (folder / "trajectory").exists() and list(folder.glob(".pruned-*"))
    run(config=[CONFIG])  # nothing is left to prune, and what was left is swept
    assert list(folder.glob(".pruned-*")) == []


def test_nothing_is_deleted_while_snakemake_is_at_work_in_the_study():
    folder = trained(Path(study().folder_of(RUN)))
    measured(folder)
    locks = Path(".snakemake/locks")
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/other/drift.parquet\n")
    run(config=[CONFIG], dry_run=True)
    (locks / "1.output.lock").write_text("results/miniature/drift.parquet\n")
    with pytest.raises(UserError, match="Snakemake is at work in results/miniature"):
        run(config=[CONFIG])
    assert (folder / "trajectory").exists()


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (9_960, "10 kB"), (999_600, "1.0 MB"), (6.4e13, "64 TB")]
)
def test_sizes_as_text(bytes_, text):
    assert size(bytes_) == text
