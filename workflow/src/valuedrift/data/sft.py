"""Prepares an SFT set: conversations as messages."""

from pathlib import Path

from valuedrift.config.data import DatasetJob
from valuedrift.data import formats
from valuedrift.data.prepare import load, splits, write_tally
from valuedrift.io.tables import SFT_SET

PARSERS = {"wildchat": formats.wildchat, "alpaca": formats.alpaca, "messages": formats.messages}


def run(*, config: DatasetJob, output: Path, counts: Path) -> None:
    """Read, parse, shuffle and split an SFT set; the table has one conversation per row."""
    rows, tally = load(config, PARSERS[config.format], config.seed)
    split = splits(len(rows), config.validation)
    table = [{"row": i, "split": s, "messages": m} for i, (m, s) in enumerate(zip(rows, split, strict=True))]
    SFT_SET.write(SFT_SET.frame(table), output)
    write_tally(tally, split, counts)
