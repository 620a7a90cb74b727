"""Has each prompt answered twice: for and against the value of its category."""

from pathlib import Path

import polars as pl

from valuedrift.chat.client import ask
from valuedrift.chat.messages import Request
from valuedrift.config.base import SIDES
from valuedrift.config.synthetic import AnswersJob
from valuedrift.io.owner import owned
from valuedrift.io.tables import ANSWERS, CANDIDATES


def run(*, config: AnswersJob, retrieved: Path, output: Path) -> None:
    """Write the chat model's answers; they are kept in a ledger next to `output`, so that nothing is asked twice."""
    frame = CANDIDATES.read(retrieved)
    asked = frame.select("category", "prompt").rows()
    requests = [Request(prompt, config.prompts[category][side]) for side in SIDES for category, prompt in asked]
    with owned(output) as owner:
        replies = ask(requests, config.chat, output.with_suffix(".ledger.sqlite"))
        for side, found in zip(SIDES, (replies[: len(asked)], replies[len(asked) :]), strict=True):
            frame = frame.with_columns(
                pl.Series(side, [reply.text for reply in found], dtype=pl.String),
                pl.Series(f"{side}_problem", [reply.problem for reply in found], dtype=pl.String),
            )
        owner.ensure()
        ANSWERS.write(frame, output)
