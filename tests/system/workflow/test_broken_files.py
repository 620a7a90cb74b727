"""One broken file of a finished study: every command over the study names it and goes on, and Snakemake makes it again."""

from pathlib import Path
from random import Random

import polars as pl
import pytest

from chaos.corrupt import flip, truncate
from clone import SMALL

pytestmark = pytest.mark.workflow
RESULTS = Path("results/small")
RESPONSES, MANIFEST = RESULTS / "runs/mini/wildchat/generations.parquet", RESULTS / "runs/mini/base/manifest.json"


def test_commands_over_a_study_go_on_around_broken_files_and_name_them(finished, tmp_path):
    clone = finished.copy(tmp_path / "clone")
    broken = {
        RESPONSES: "is damaged",
        MANIFEST: "is not a manifest of a run",
        RESULTS / "prompts/prompts.parquet": "cannot be read as",
    }
    whole = pl.read_parquet(clone.folder / RESPONSES)
    flip(clone.folder / RESPONSES, Random(0), 100)
    for path in list(broken)[1:]:
        truncate(clone.folder / path, Random(0))

    output = clone.run(SMALL, "--dry-run", "--forceall")
    for path, why in broken.items():
        assert f"warning: {path} {why}" in output, output[-3000:]
    assert "trajectories would be deleted" in clone.valuedrift("prune", SMALL, "--dry-run")
    assert "judge mini-judge" in clone.valuedrift("plan", SMALL)
    for path in list(broken)[1:]:
        (clone.folder / path).write_bytes((finished.folder / path).read_bytes())
    clone.run(SMALL, str(RESPONSES), "--forcerun", str(RESPONSES))
    assert pl.read_parquet(clone.folder / RESPONSES).equals(whole)


def test_a_copied_study_reads_its_own_weights(finished):
    links = [path for path in (finished.folder / "results").rglob("*") if path.is_symlink()]
    assert any(path.suffix == ".safetensors" for path in links)
    assert [path for path in links if path.readlink().is_absolute() or not path.resolve().is_relative_to(finished.folder)] == []
