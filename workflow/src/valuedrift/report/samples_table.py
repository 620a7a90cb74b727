"""Tables 4-6 of the paper: responses of several runs' last checkpoints to one prompt."""

from itertools import groupby
from pathlib import Path

import polars as pl

from valuedrift.config.tables import SamplesTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import PROMPTS
from valuedrift.report.samples import choose_prompts, read_responses
from valuedrift.report.table import Table, block, text_column
from valuedrift.report.table_files import Rows, shorten, write

EMPTY = "(an empty response)"
DRAWN = "(drawn; the prompt asked for is not among the evaluation prompts)"


def run(*, config: SamplesTableJob, prompts: Path, generations: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table. `generations` are those of its runs, in any order; long responses are cut, in the CSV too."""
    prompt, note = choose(PROMPTS.read(prompts), config)
    responses = read_responses(generations, [prompt["prompt_id"]]).sort("step").unique("run", keep="last")
    found = {row["run"]: row for row in responses.iter_rows(named=True)}
    rows = []
    for row in config.rows:
        if row.run not in found:
            raise UserError(f"no response of the run `{row.run}` to the prompt {prompt['prompt_id']}: generate its responses first")
        *group, name = row.headings
        answer = shorten(found[row.run]["response"], config.longest) or EMPTY
        rows.append((config.category, prompt["question"], note, " ".join(group), name, row.run, found[row.run]["step"], answer))
    names = ["category", "prompt", "note", "group", "name", "run", "step", "response"]
    write(pl.DataFrame(rows, schema=names, orient="row"), layout, config.caption, csv, markdown, latex)


def choose(prompts: pl.DataFrame, job: SamplesTableJob) -> tuple[dict[str, str], str]:
    """Return the row of PROMPTS that the job names, or one drawn from its category, and a note if the named one is missing."""
    drawn = choose_prompts(prompts, [job.category], 1, job.seed)
    if drawn.is_empty():
        raise UserError(f"there are no evaluation prompts of the category `{job.category}`")
    if job.prompt is None:
        return drawn.row(0, named=True), ""
    wanted = _plain(job.prompt)
    named = [row for row in prompts.filter(pl.col("category") == job.category).to_dicts() if _plain(row["question"]) == wanted]
    return (named[0], "") if named else (drawn.row(0, named=True), DRAWN)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows: category and prompt first, then the responses by group."""
    first = rows[0]
    about = [["Category", first["category"]], ["Prompt", f"{first['prompt']} {first['note']}".strip()]]
    groups = [(group, [[row["name"], row["response"]] for row in same]) for group, same in groupby(rows, key=lambda r: r["group"])]
    columns = [text_column("", share=0.18), text_column("", share=0.82)]
    return Table(columns, [block("", about), *(block(*group) for group in groups)])


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
