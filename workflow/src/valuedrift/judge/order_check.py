"""What one judge answers in all orders of the options: about some responses, drawn from both ends of all runs."""

import hashlib
from pathlib import Path

import polars as pl

from valuedrift.config.judge import OrderCheckJob
from valuedrift.io.frames import detached
from valuedrift.io.owner import owned
from valuedrift.io.tables import GENERATIONS, ORDERS, PROMPTS
from valuedrift.judge.backend import Item, Verdict
from valuedrift.judge.prompted import PromptedJudge, verdict
from valuedrift.judge.stances import KEY, make_reader
from valuedrift.lm.judge_calls import draw_prompts


def run(*, config: OrderCheckJob, generations: list[Path], prompts: Path, output: Path) -> None:
    """Write ORDERS: `order_check` responses to the judge's prompts, each in all orders of the options."""
    questions = draw_prompts(PROMPTS.read(prompts), config.judge.per_category, config.seed)
    found = GENERATIONS.frame([])
    for path in generations:  # run by run: a study's responses may not fit in memory
        sampled = GENERATIONS.read(path).join(questions, on="prompt_id", how="semi")
        found = detached(drawn(pl.concat([found, ends(sampled, config.children)]), config.judge.order_check, config.seed))
    with owned(output) as owner:
        judge = PromptedJudge(
            make_reader(config, output.with_suffix(".ledger.sqlite")), config.judge.model_copy(update={"orders": "all"})
        )
        asked = found.join(questions, on="prompt_id", validate="m:1").sort(KEY)
        rows = answers(judge, config.name, asked)
        owner.ensure()
        ORDERS.write(rows, output)


def ends(sampled: pl.DataFrame, children: list[str]) -> pl.DataFrame:
    """Return the rows of GENERATIONS with a text at a run's first and last checkpoint; a child's first is its parent's last."""
    own = sampled.filter((pl.col("step") > 0) | ~pl.col("run").is_in(children))
    step, is_child = pl.col("step"), pl.col("run").is_in(children)
    first, last = step == step.min().over("run"), step == step.max().over("run")
    return own.filter(last | (first & ~is_child)).filter(pl.col("response").str.strip_chars() != "")


def drawn(responses: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Return `count` random rows of GENERATIONS, spread over the checkpoints.

    A response's rank in the draw depends on the seed and its key alone, so a further run displaces some responses and no others.
    """
    ranks = [hashlib.sha256(f"{seed} {key}".encode()).hexdigest() for key in responses.select(KEY).iter_rows()]
    ranked = responses.with_columns(rank=pl.Series(ranks, dtype=pl.String)).sort("rank")
    turns = ranked.with_columns(turn=pl.int_range(pl.len()).over("run", "step"))
    return turns.sort("turn", "rank").head(count).drop("turn", "rank")


def answers(judge: PromptedJudge, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ORDERS for rows of GENERATIONS joined with their prompts; the judge sees identical items once."""
    items = [Item(row["question"], row["response"], row["topic"]) for row in rows.iter_rows(named=True)]
    asked = list(dict.fromkeys(items))
    readings = dict(zip(asked, judge.readings(asked), strict=True))
    return ORDERS.frame(
        [
            {**{k: row[k] for k in (*KEY, "category")}, "judge": name, "order": " ".join(order),
             **_columns(verdict([reading], [order], judge.config.min_mass))}
            for row, item in zip(rows.iter_rows(named=True), items, strict=True)
            for reading, order in zip(readings[item], judge.orders, strict=True)
        ]
    )  # fmt: skip


def _columns(found: Verdict | str) -> dict[str, object]:
    if isinstance(found, str):
        return {"status": found}
    return {name: getattr(found, name) for name in ("support", "neutral", "oppose", "mass")} | {"status": "ok"}
