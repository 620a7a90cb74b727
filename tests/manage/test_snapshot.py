"""What a study was started with is kept as it was, whatever happens to the files meanwhile."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.common.configfile import load_configfile

from clone import ROOT
from valuedrift.manage.snapshot import Snapshot, run_from

VALUES = {
    "study": "ünö",
    "external": {"m": {"checkpoints": {100: "a", 200: "b"}}},
    "rate": 5e-07,
    "empty": {},
    "on": True,
    "none": None,
}


@pytest.fixture
def top(tmp_path):
    """A repository of three files, one of which is no source."""
    for name in ("workflow/src/a.py", "workflow/src/__pycache__/a.pyc", "envs/e.yaml"):
        (tmp_path / "top" / name).parent.mkdir(parents=True)
        (tmp_path / "top" / name).write_text(name)
    (tmp_path / "top" / "Snakefile").write_text("rules")
    return tmp_path / "top"


def test_jobs_read_the_files_and_the_config_as_they_were_when_the_study_was_started(top, tmp_path):
    snapshot = Snapshot(top, VALUES)
    (top / "workflow" / "src" / "a.py").write_text("edited")
    kept = snapshot.keep(tmp_path / "kept")
    files = {str(path.relative_to(kept)): path.read_text() for path in kept.rglob("*") if path.is_file()}
    assert load_configfile(str(kept / "study.yaml")) == VALUES and files.pop("study.yaml")
    assert files == {"workflow/src/a.py": "workflow/src/a.py", "envs/e.yaml": "envs/e.yaml", "Snakefile": "rules"}
    executor, settings = SimpleNamespace(snakefile="live"), SimpleNamespace(configfiles=["live"])
    run_from(SimpleNamespace(scheduler=SimpleNamespace(_executor=executor), config_settings=settings), kept)
    assert (executor.snakefile, settings.configfiles) == (str(kept / "Snakefile"), [kept / "study.yaml"])


def test_equal_files_are_kept_once_and_others_until_they_were_unused_for_long(top, tmp_path):
    first = Snapshot(top, VALUES).keep(tmp_path / "kept")
    assert Snapshot(top, VALUES).keep(tmp_path / "kept") == first
    other = Snapshot(top, VALUES | {"study": "other"}).keep(tmp_path / "kept")
    assert {first, other} == set((tmp_path / "kept").iterdir())
    long_ago = time.time() - 61 * 86400
    for path in (first, other):
        os.utime(path, (long_ago, long_ago))
    assert Snapshot(top, VALUES).keep(tmp_path / "kept") == first  # used again
    assert list((tmp_path / "kept").iterdir()) == [first]


def test_a_snapshot_that_was_damaged_is_whole_at_the_next_start(top, tmp_path):
    kept = Snapshot(top, VALUES).keep(tmp_path / "kept")
    (kept / "workflow" / "src" / "a.py").write_text("half")
    (kept / "Snakefile").unlink()
    assert Snapshot(top, VALUES).keep(tmp_path / "kept") == kept
    assert ((kept / "workflow" / "src" / "a.py").read_text(), (kept / "Snakefile").read_text()) == ("workflow/src/a.py", "rules")


def test_vllms_own_installation_is_found_from_a_snapshot(top, tmp_path):
    (top / ".venv-vllm" / "bin").mkdir(parents=True)
    kept = Snapshot(top, VALUES).keep(tmp_path / "kept")
    assert (kept / ".venv-vllm" / "bin").samefile(top / ".venv-vllm" / "bin")


def test_the_hash_of_a_step_follows_its_sources_and_neither_their_times_nor_other_files():
    one, same, edited = (Snapshot(ROOT, {"study": name}) for name in "abc")
    source = Path("workflow/src/valuedrift/train/dpo.py")
    edited.files[source] += b"# edited"
    assert source in edited.files and one.sources("train.dpo") == same.sources("train.dpo") != edited.sources("train.dpo")
    assert one.sources("train.sft") == edited.sources("train.sft")
    both = one.sources("train.sft", "train.dpo")
    assert both == one.sources("train.dpo", "train.sft") != edited.sources("train.sft", "train.dpo")


@pytest.mark.parametrize("name", ["paper", "miniature", "extensions"])
def test_every_config_is_the_same_when_it_is_read_again(name, tmp_path):
    values = load_configfile(str(ROOT / "config" / f"{name}.yaml"))
    (tmp_path / "top").mkdir()
    kept = Snapshot(tmp_path / "top", values).keep(tmp_path)
    assert load_configfile(str(kept / "study.yaml")) == values == yaml.safe_load((kept / "study.yaml").read_text())
