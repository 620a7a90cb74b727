"""Tokens a second of devices, from a table in which each row is measured or assumed."""

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.sizing.counts import ASSUMED, MEASURED, Amount

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
    float32. Other types, and float32 where it has no row, take the plain one."""
    parameters: float
    """Of the model that the speed is of."""
    tokens_per_second: float
    """Of one GPU, or of a job without one."""
    source: str
    note: str


class Speeds:
    """The table at `path`; raises UserError where it cannot be read."""

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
        """Seconds that one token takes a model on one device.

        Work on a token is proportional to the parameters (2 operations each forward, 6 in training: Kaplan et al. 2020, section
        2.1), so the row of the model nearest in size is scaled by them.
        """
        named = self._named(device, f"{work}_{dtype}") or self._named(device, work) or self._named(device, work.split("_")[0])
        row = min(named, key=lambda one: abs(math.log(one.parameters / parameters)))
        return Amount(parameters / row.parameters / row.tokens_per_second, MARKS[row.source])

    def check(self, devices: set[str]) -> None:
        """Raise UserError where a device has no row of one of the plain kinds of work."""
        for device in sorted(devices):
            for work in ("train", "read", "sample"):
                if not self._named(device, work):
                    known = ", ".join(sorted({row.device for row in self.rows}))
                    raise UserError(
                        f"config: `cluster.device`: {self.path} has no row of {device} for {work}; it knows {known}: add the"
                        " row, or name one of these"
                    )

    def _named(self, device: str, work: str) -> list[Speed]:
        return [row for row in self.rows if (row.device, row.work) == (device, work)]
