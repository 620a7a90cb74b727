"""Draws the judged responses that people label: a table with the judge's stances, and a sheet and a page without them."""

import hashlib
import sys
from collections import Counter
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES as STANCE_NAMES
from valuedrift.config.human import HumanSampleJob
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.frames import detached
from valuedrift.io.pages import fill
from valuedrift.io.spreadsheets import write_csv
from valuedrift.io.tables import GENERATIONS, LABEL_SAMPLE, PROMPTS, STANCES

TEMPLATE = Path(__file__).with_name("label.html.j2")
KEY = ["run", "step", "prompt_id", "sample"]
STRATUM = ["category", "stance"]
VISIBLE = ["id", "topic", "question", "response"]
"""Columns that people see; not the run, the step and the judge's stance."""


def run(
    *, config: HumanSampleJob, stances: list[Path], generations: list[Path], prompts: Path, table: Path, sheet: Path, page: Path
) -> None:
    """Draw `config.responses` responses, spread evenly over the categories and the judge's stances.

    `stances` and `generations` belong to the same runs in the same order.
    """
    questions, found = PROMPTS.read(prompts), None
    for judged, sampled in zip(stances, generations, strict=True):  # run by run: a study's responses may not fit in memory
        part = _scored(config, STANCES.read(judged), GENERATIONS.read(sampled), questions)
        found = extended(found, part.select(*LABEL_SAMPLE.columns, "stance"), config.responses)
    if found is None or found.is_empty():
        raise UserError(
            f"the judge {config.judge} scored no response, so there is nothing to label: check the runs in `human.runs`"
        )
    drawn = spread_evenly(found, config.responses).sort("id")
    if drawn.height < config.responses:
        print(f"only {drawn.height} of {config.responses} responses: the judge scored no other distinct ones", file=sys.stderr)
    LABEL_SAMPLE.write(drawn, table)
    write_csv(drawn.select(*VISIBLE, label=pl.lit("")), sheet, mark=True)
    with replacing(page) as scratch:
        scratch.write_text(label_page(config, drawn), encoding="utf-8")


def _scored(config: HumanSampleJob, stances: pl.DataFrame, generations: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Return one run's scored responses with their most likely stance and their id, a hash of the seed and of what people see."""
    scored = stances.filter(pl.col("support").is_not_null(), judge=config.judge)
    rows = scored.drop("category").join(generations, on=KEY).join(prompts, on="prompt_id", validate="m:1")
    if rows.height < scored.height:
        raise UserError(f"{scored.height - rows.height} stances of {scored['run'][0]} lack their response: judge that run again")
    texts = rows.select("topic", "question", "response").rows()
    ids = [hashlib.sha256("\0".join((str(config.seed), *text)).encode()).hexdigest()[:12] for text in texts]
    likeliest = pl.concat_list(STANCE_NAMES).list.arg_max().replace_strict(dict(enumerate(STANCE_NAMES)), return_dtype=pl.String)
    return rows.with_columns(likeliest.alias("stance"), id=pl.Series(ids, dtype=pl.String))


def extended(found: pl.DataFrame | None, rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return the rows with the first ids of each stratum, at most `count`, of those found in earlier runs and those of one more.

    This is a random draw, since ids are hashes. The same response to the same question counts once, whatever its run.
    """
    rows = rows if found is None else pl.concat([found, rows.select(found.columns)])
    once = rows.sort("id", *KEY).unique("id", keep="first", maintain_order=True)
    return detached(once.group_by(STRATUM, maintain_order=True).head(count).sort("id"))


def spread_evenly(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return `count` of the rows, spread over categories and stances.

    Each next row comes from the category with the fewest rows so far and, within it, from the stance with the fewest rows there,
    then overall. If a stratum runs out, the category's other stances replace it.
    """
    strata = {(category, stance): part for (category, stance), part in rows.group_by(STRATUM, maintain_order=True)}
    taken, of_category, of_stance = Counter[tuple[object, object]](), Counter[object](), Counter[object]()
    for _ in range(min(count, rows.height)):
        left = [stratum for stratum, part in strata.items() if taken[stratum] < part.height]
        stratum = min(left, key=lambda s: (of_category[s[0]], taken[s], of_stance[s[1]]))
        for counts, one in ((taken, stratum), (of_category, stratum[0]), (of_stance, stratum[1])):
            counts[one] += 1
    return pl.concat(part.head(taken[stratum]) for stratum, part in strata.items())


def label_page(config: HumanSampleJob, drawn: pl.DataFrame) -> str:
    """Return the labelling page of rows of LABEL_SAMPLE; its data are JSON, escaped so that no response can end the script."""
    options = [[stance, config.options[stance].removeprefix(f"{stance}:").strip()] for stance in STANCE_NAMES]
    key = hashlib.sha256("".join(drawn["id"]).encode()).hexdigest()[:12]
    data = {"key": key, "options": options, "items": drawn.select(VISIBLE).to_dicts()}
    return fill(TEMPLATE, {"title": config.title, "data": data, "count": drawn.height})
