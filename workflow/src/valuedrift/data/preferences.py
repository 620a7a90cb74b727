"""Prepares a preference set: prompts with two answers, labelled chosen and rejected, or support and oppose."""

from dataclasses import asdict
from pathlib import Path

from valuedrift.config.data import DatasetJob
from valuedrift.data import formats
from valuedrift.data.prepare import load, splits, write_tally
from valuedrift.io.tables import PREFERENCE_SET

PARSERS = {"ultrafeedback": formats.ultrafeedback, "hh_rlhf": formats.hh_rlhf, "synthetic": formats.synthetic}


def run(*, config: DatasetJob, output: Path, counts: Path) -> None:
    """Read, parse, shuffle and split a preference set; both labellings of a synthetic set are read from this one table."""
    rows, tally = load(config, PARSERS[config.format], config.seed)
    split = splits(len(rows), config.validation)
    table = [{"row": i, "split": s, **asdict(pair)} for i, (pair, s) in enumerate(zip(rows, split, strict=True))]
    PREFERENCE_SET.write(PREFERENCE_SET.frame(table), output)
    write_tally(tally, split, counts)
