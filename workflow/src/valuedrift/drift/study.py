"""The drift of all runs of a study in one table."""

from pathlib import Path

import polars as pl

from valuedrift.io.tables import DRIFT


def run(*, drift: list[Path], output: Path) -> None:
    """Write DRIFT of all runs, from the tables of single runs."""
    joined = pl.concat([DRIFT.frame([]), *(DRIFT.read(path) for path in drift)])
    DRIFT.write(joined.sort("run", "judge", "category", "stance"), output)
