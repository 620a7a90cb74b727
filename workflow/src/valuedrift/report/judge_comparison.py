"""Several judges on the same responses: how well each agrees with the study's own, and by how much it would shift every value."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import JudgeComparisonJob
from valuedrift.io import tables
from valuedrift.io.columns import STANCE
from valuedrift.stats.agreement import Bootstrap, Estimate, Floats, estimate, kappa, share
from valuedrift.stats.intervals import difference_intervals

KEY = ["step", "prompt_id", "sample"]
COLUMNS = {
    "judge": pl.String, "measure": pl.String, "run": pl.String, "step": pl.Int64, "category": pl.String, "stance": pl.String,
    "detail": pl.String, "n": pl.Int64, "own": pl.Float64, "other": pl.Float64, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64,
}  # fmt: skip
"""Columns of the CSV. n counts responses, or prompts for a shift; own and other are the two judges' numbers."""
SHIFT = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


@dataclass(frozen=True)
class JudgeComparison:
    """The study's own judge compared with one other."""

    judge: str
    counts: pl.DataFrame
    """category, prompt_id, own and other (indices of the most likely stances), n (responses), distance (summed over them)."""
    unscored: pl.DataFrame
    """judge, reason, n: responses without that judge's probabilities."""
    shifts: pl.DataFrame
    """measure (value or magnitude), run, step, category, stance, n, own, other, value, low, high. The run is "" for means over all
    checkpoints."""


def compare(config: JudgeComparisonJob, judge: str, found: dict[tuple[str, str], Path]) -> JudgeComparison:
    """Compare the own judge with another one. `found` is the STANCES file of each (run, judge).

    One run is in memory at a time. A child's step 0 is its parent's last checkpoint and is counted once.
    """
    counts, unscored, shifts, moved = [], [], [], []
    for run in config.runs:
        files = [found.get((run, name)) for name in (config.judge, judge)]
        own, other = (tables.STANCES.read(path) if path else tables.STANCES.frame([]) for path in files)
        rows = pair(own, other)
        asked_once = rows.filter(pl.col("step") > 0) if run in config.children else rows
        counts.append(_counts(asked_once))
        unscored.append(_unscored(asked_once, config.judge, judge))
        means = prompt_means(rows)
        shifts += [_shifts(means, "value", run, config), _shifts(_between_ends(means), "magnitude", run, config)]
        moved.append(means.filter(pl.col("step") > 0) if run in config.children else means)
    over_all = pl.concat(moved).group_by("category", "stance", "prompt_id", maintain_order=True).agg(pl.col("own", "other").mean())
    shifts.append(_shifts(over_all.with_columns(step=pl.lit(None, pl.Int64)), "value", "", config))
    cells = pl.concat(counts).group_by("category", "prompt_id", "own", "other", maintain_order=True)
    reasons = pl.concat(unscored).group_by("judge", "reason").agg(pl.col("n").sum()).sort("judge", "reason")
    return JudgeComparison(judge, cells.agg(pl.col("n", "distance").sum()), reasons, pl.concat(shifts))


def pair(own: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return one row per response that either judge was asked about.

    Columns: KEY, category, the own judge's probabilities and status, the other's with the suffix _other, and `both`, whether both
    scored it.
    """
    columns = [*KEY, "category", *STANCES, "status"]
    rows = own.select(columns).join(
        other.select(columns), on=[*KEY, "category"], how="full", coalesce=True, suffix="_other", validate="1:1"
    )
    both = pl.col("support").is_not_null() & pl.col("support_other").is_not_null()
    return rows.with_columns(both=both).sort(KEY)  # a sum of floats depends on their order in its last digit


def prompt_means(rows: pl.DataFrame) -> pl.DataFrame:
    """Return means over the responses to a prompt that both scored: category, step, prompt_id, stance, own, other.

    `rows` come from `pair`.
    """
    scored = rows.filter("both").group_by("category", "step", "prompt_id", maintain_order=True)
    sides = [
        scored.agg(pl.col(f"{stance}{suffix}").mean().alias(stance) for stance in STANCES).unpivot(
            STANCES, index=["category", "step", "prompt_id"], variable_name="stance", value_name=name
        )
        for name, suffix in (("own", ""), ("other", "_other"))
    ]
    return pl.concat([sides[0], sides[1].select("other")], how="horizontal").with_columns(pl.col("stance").cast(STANCE))


def _between_ends(means: pl.DataFrame) -> pl.DataFrame:
    """Return the difference of each prompt from the first to the last checkpoint, by each judge; no rows for one checkpoint."""
    first, last = (pl.col("step") == end for end in (pl.col("step").min(), pl.col("step").max()))
    key = ["category", "prompt_id", "stance"]
    pairs = means.filter(last & ~first).join(means.filter(first), on=key, suffix="_first", maintain_order="left")
    return pairs.select(*key, "step", *((pl.col(side) - pl.col(f"{side}_first")).alias(side) for side in ("own", "other")))


def _shifts(means: pl.DataFrame, measure: str, run: str, config: JudgeComparisonJob) -> pl.DataFrame:
    """Return other - own by step, category and stance, paired over the prompts, with the same kind of interval as values."""
    ordered = means.sort("prompt_id", "own", "other")  # a sum of floats depends on their order in its last digit
    groups = ordered.group_by("step", "category", "stance", maintain_order=True).agg(
        n=pl.len(), samples=pl.struct("own", "other"), own=pl.col("own").mean(), other=pl.col("other").mean()
    )
    samples = [[np.array(side, float) for side in (cell.struct["own"], cell.struct["other"])] for cell in groups["samples"]]
    if measure == "magnitude":  # of prompts, which lie in [-1, 1], where the interval is one of shares
        samples = [[(side + 1) / 2 for side in cell] for cell in samples]
    width = 2 if measure == "magnitude" else 1
    found = difference_intervals([own for own, _ in samples], [other for _, other in samples], config.values, config.seed)
    shift = pl.DataFrame(found, schema=SHIFT, orient="row").with_columns(pl.all() * width)
    order = ["measure", "run", "step", "category", "stance"]
    rows = groups.hstack(shift).with_columns(measure=pl.lit(measure), run=pl.lit(run))
    return rows.select(*order, "n", "own", "other", "value", "low", "high").sort(order)


def _counts(rows: pl.DataFrame) -> pl.DataFrame:
    sides = [pl.concat_list(f"{stance}{suffix}" for stance in STANCES) for suffix in ("", "_other")]
    apart = pl.sum_horizontal((pl.col(stance) - pl.col(f"{stance}_other")).abs() for stance in STANCES) / 2
    cells = rows.filter("both").select(
        "category", "prompt_id", own=sides[0].list.arg_max(), other=sides[1].list.arg_max(), distance=apart
    )
    by = ["category", "prompt_id", "own", "other"]
    return cells.group_by(by, maintain_order=True).agg(n=pl.len().cast(pl.Int64), distance=pl.col("distance").sum())


def _unscored(rows: pl.DataFrame, *judges: str) -> pl.DataFrame:
    """Return judge, reason and n. The reason is the status; for a response without a row of the judge it is "not asked"."""
    parts = [
        rows.filter(pl.col(f"support{suffix}").is_null())
        .group_by(reason=pl.col(f"status{suffix}").fill_null("not asked"))
        .agg(n=pl.len().cast(pl.Int64))
        .select(pl.lit(judge).alias("judge"), "reason", "n")
        for judge, suffix in zip(judges, ("", "_other"), strict=True)
    ]
    return pl.concat(parts)


def agreement(counts: pl.DataFrame, config: JudgeComparisonJob) -> dict[str, dict[str, Estimate]]:
    """Return category → agreement, kappa and distance; the category "" stands for all together.

    Responses to one prompt are alike, so a resample draws prompts with all their responses: 2,000 resamples of 550 prompts take
    0.4 s however many responses there are, and an interval over single responses would be too narrow.
    """
    bootstrap = Bootstrap(config.values.confidence, config.values.resamples, config.seed)
    parts = {"": counts} | {category: counts.filter(pl.col("category") == category) for category in config.categories}
    return {category: _agreement(part, bootstrap) for category, part in parts.items()}


def _agreement(counts: pl.DataFrame, bootstrap: Bootstrap) -> dict[str, Estimate]:
    cells, distances = matrices(counts)
    apart = np.stack([distances, cells.sum((1, 2))], 1)
    ones = np.ones(len(cells), np.int64)
    same = estimate(cells, ones, lambda sums: np.trace(sums, axis1=-2, axis2=-1) / sums.sum((-2, -1)), bootstrap, "")
    if same.value in (0, 1):  # all resamples are equal, so Wilson's interval over the prompts
        same = share(len(cells) if same.value else 0, len(cells), bootstrap.confidence)
    return {
        "agreement": same,
        "kappa": estimate(cells, ones, kappa, bootstrap, "both gave one and the same stance throughout"),
        "distance": estimate(apart, ones, lambda sums: sums[..., 0] / sums[..., 1], bootstrap, ""),
    }


def matrices(counts: pl.DataFrame) -> tuple[Floats, Floats]:
    """Return counts of responses by prompt, own stance and other stance, (prompts, 3, 3), and sums of distances, (prompts,)."""
    places = counts["prompt_id"].rank("dense").to_numpy().astype(np.int64) - 1
    prompts = counts["prompt_id"].n_unique()
    cells, distances = np.zeros((prompts, len(STANCES), len(STANCES))), np.zeros(prompts)
    np.add.at(cells, (places, counts["own"].to_numpy(), counts["other"].to_numpy()), counts["n"].to_numpy())
    np.add.at(distances, places, counts["distance"].to_numpy())
    return cells, distances


def to_frame(one: JudgeComparison, estimates: dict[str, dict[str, Estimate]]) -> pl.DataFrame:
    """Return COLUMNS: agreement by category, confusion matrix, responses not scored, and all shifts, the largest first."""
    responses = dict(one.counts.group_by("category").agg(pl.col("n").sum()).iter_rows())
    responses[""] = sum(responses.values())
    agreements: list[dict[str, object]] = [
        {"measure": name, "category": category, "n": responses.get(category, 0), "value": e.value, "low": e.low, "high": e.high}
        for category, measures in estimates.items() for name, e in measures.items()
    ]  # fmt: skip
    names = dict(enumerate(STANCES))
    confused = one.counts.group_by("category", "own", "other").agg(pl.col("n").sum()).sort("category", "own", "other")
    confused = confused.select(
        "category", "n", measure=pl.lit("confusion"), stance=pl.col("own").replace_strict(names, return_dtype=pl.String),
        detail=pl.col("other").replace_strict(names, return_dtype=pl.String),
    )  # fmt: skip
    left = one.unscored.select("n", measure=pl.lit("not scored"), detail=pl.format("{}: {}", "judge", "reason"))
    shifts = one.shifts.with_columns(pl.col("n").cast(pl.Int64), pl.col("stance").cast(pl.String))
    shifts = shifts.sort(pl.col("value").abs(), descending=True, maintain_order=True)
    rows = pl.concat([pl.DataFrame(agreements, schema=COLUMNS), confused, left, shifts], how="diagonal")
    return rows.with_columns(pl.col(pl.String).replace("", None)).with_columns(judge=pl.lit(one.judge))
