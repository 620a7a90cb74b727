"""Look up the tokens a second of devices in a table in which each row is measured or assumed."""

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.sizing.amount import ASSUMED, MEASURED, Amount

COLUMNS = {
    "device": pl.String, "work": pl.String, "parameters": pl.Float64, "tokens_per_second": pl.Float64, "source": pl.String,
    "note": pl.String,
}  # fmt: skip
MARKS = {"measured": MEASURED, "assumed": ASSUMED}


@dataclass(frozen=True)
class Speed:
    """One row of the table."""

    device: str
    work: str
    """train: forward, backward and update; read: forward alone; sample: tokens drawn; with `_vllm` by vLLM, with `_float32` in
    float32. Other types, and float32 where it has no row, use the row without a suffix."""
    parameters: float
    """Of the model that was measured."""
    tokens_per_second: float
    """On one GPU, or of a job without GPUs."""
    source: str
    note: str


class Speeds:
    """The table at `path`; raises UserError if it cannot be read or a row is not valid."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            table = pl.read_csv(Path(path), schema_overrides=COLUMNS)
            self.rows = [Speed(**row) for row in table.select(*COLUMNS).iter_rows(named=True)]
        except (OSError, pl.exceptions.PolarsError) as error:
            raise UserError(f"config: `cluster.speeds`: {path} cannot be read: {str(error).splitlines()[0]}") from error
        for row in self.rows:
            if row.source not in MARKS or not (row.parameters and row.tokens_per_second and row.tokens_per_second > 0):
                raise UserError(
                    f"{path}: a row of {row.device} {row.work} needs positive numbers and a source, measured or assumed"
                )

    def seconds_per_token(self, device: str, work: str, dtype: str, parameters: float) -> Amount:
        """Return the seconds that a model takes for one token on one device.

        Work on a token is proportional to the parameters (2 operations each forward, 6 in training: Kaplan et al. 2020, section
        2.1), so the speed of the model nearest in size is scaled by them.
        """
        rows = self._rows(device, f"{work}_{dtype}") or self._rows(device, work) or self._rows(device, work.split("_")[0])
        row = min(rows, key=lambda one: abs(math.log(one.parameters / parameters)))
        return Amount(parameters / row.parameters / row.tokens_per_second, MARKS[row.source])

    def check(self, devices: set[str]) -> None:
        """Raise UserError if a device lacks a row of train, read or sample."""
        for device in sorted(devices):
            for work in ("train", "read", "sample"):
                if not self._rows(device, work):
                    known = ", ".join(sorted({row.device for row in self.rows}))
                    raise UserError(
                        f"config: `cluster.device`: {self.path} has no row of {device} for {work}; it has {known}: add the"
                        " row, or name one of these"
                    )

    def _rows(self, device: str, work: str) -> list[Speed]:
        return [row for row in self.rows if (row.device, row.work) == (device, work)]
