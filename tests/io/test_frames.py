from pathlib import Path

import polars as pl
import pytest

from valuedrift.human import sample
from valuedrift.io.frames import detached
from valuedrift.io.tables import GENERATIONS
from valuedrift.report.samples import read_responses

RUNS, ROWS, SIZE = 9, 4000, 5000


def memory():
    """Return this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def responses(run):
    """Return a run's responses of 20 MB."""
    texts = [f"{run} {n} {'x' * SIZE}" for n in range(ROWS)]
    rows = (
        pl.DataFrame({"response": texts}).with_row_index("n").with_columns(run=pl.lit(f"r{run}"), prompt_id=pl.format("p{}", "n"))
    )
    others = {"step": 0, "sample": 0, "n_tokens": 1, "finish_reason": "stop", "seed": 0}
    return (
        rows.with_columns(**{k: pl.lit(v) for k, v in others.items()})
        .select(list(GENERATIONS.columns))
        .cast(dict(GENERATIONS.columns))
    )


def first(run):
    return detached(responses(run).filter(prompt_id="p7"))


def ends(run, folder):
    GENERATIONS.write(responses(run), folder / f"{run}.parquet")
    return read_responses([folder / f"{run}.parquet"], ["p7"])


def drawn(found, run):
    rows = responses(run).with_columns(id="response", category=pl.lit("c"), stance=pl.lit("support"))
    return sample.extended(found, rows, 5)


@pytest.mark.parametrize("kind", ["a copy", "the report's responses", "the human sample"])
def test_a_few_rows_of_many_runs_do_not_keep_the_runs_in_memory(kind, tmp_path):
    kept, found = [], drawn(None, 0)
    for run in range(RUNS):
        if run == 1:
            before = memory()
        match kind:
            case "a copy":
                kept.append(first(run))
            case "the report's responses":
                kept.append(ends(run, tmp_path))
            case _:
                found = drawn(found, run)
    assert memory() - before < (RUNS - 1) * ROWS * SIZE / 2
