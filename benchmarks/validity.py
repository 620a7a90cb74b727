"""What the intervals, p-values and verdicts of drift tables are worth, on simulated studies whose truth is known.

    python benchmarks/validity.py [--studies 1000]

Prints how often intervals of a value and of a magnitude cover the truth, against Student's t, and over several training seeds;
how many studies without drift have a cell that is called moved; how many of the cells called moved did not move, where some did;
how often a drift of just the margin is called preserved; and how many drifts of .05, .10 and .20 are found. About 8 minutes on 2
cores.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from scipy import stats
from tabulate import tabulate
from validity_seeds import seed_coverage

from valuedrift.drift.study import holm
from valuedrift.report.scorecard_stats import reach
from valuedrift.stats.shares import Floats, Limits, Pairs, Sums, difference_limits, limits, p_moved

SHARES = (0.003, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.997)
PROMPTS = (10, 50, 200)
CORRELATIONS = (0.0, 0.3, 0.8)
TAIL, LEVEL, MARGIN = 0.025, 0.05, 0.05
MAGNITUDES = ((0.02, 0.02), (0.3, 0.3), (0.5, 0.5), (0.02, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.98))
"""Shares at the first and the last checkpoint."""
PRINTED = 50
"""Prompts of the study whose values are printed."""
CELLS = 11 * 3 * 13
"""Categories, stances and runs of the simulated studies, as many as the miniature has."""
STARTS = (0.05, 0.2, 0.35, 0.5)
"""Shares at the first checkpoint, over which the cells are spread."""
CHUNK = 20
"""Studies drawn at once: 20 of 200 prompts are 2 x 9 million responses."""


def students_t(sample: Floats) -> Limits:
    """Return the 95% limits of Student's t for samples (cells, prompts)."""
    half = stats.t.ppf(1 - TAIL, sample.shape[1] - 1) * sample.std(1, ddof=1) / np.sqrt(sample.shape[1])
    return Limits(sample.mean(1) - half, sample.mean(1) + half)


def responses(
    rng: np.random.Generator, share: float, prompts: int, count: int, correlation: float, sure: bool, draws: int
) -> Floats:
    """Return prompt means (draws, prompts) of `count` responses.

    A prompt has its own propensity, a beta of this share and correlation; a judge that is not sure gives each response a beta of
    the same mean and the size 3.
    """
    size = (1 - correlation) / max(correlation, 1e-9)
    own = rng.beta(share * size, (1 - share) * size, (draws, prompts, 1)) if correlation else np.full((draws, prompts, 1), share)
    if sure:
        return np.asarray((rng.random((draws, prompts, count)) < own).mean(2))
    own = np.repeat(np.clip(own, 1e-9, 1 - 1e-9), count, axis=2)
    return np.asarray(rng.beta(3 * own, 3 * (1 - own)).mean(2))


def covered(found: Limits, truth: float) -> float:
    """Return the share of limits that hold the truth."""
    return float(((found.low <= truth) & (truth <= found.high)).mean())


def value_coverage(rng: np.random.Generator, draws: int) -> Iterator[dict[str, object]]:
    """Yield what intervals of a value cover, a row for each cell of the grid."""
    for sure in (True, False):
        for prompts in PROMPTS:
            for count in (1, 5):
                for correlation in CORRELATIONS:
                    for share in SHARES:
                        sample = responses(rng, share, prompts, count, correlation, sure, draws)
                        found = limits(Sums.of(sample), TAIL)
                        yield {
                            "judge": "sure" if sure else "not sure", "prompts": prompts, "share": share,
                            "beta": covered(found, share), "t": covered(students_t(sample), share),
                            "width": float((found.high - found.low).mean()),
                            "outside": float(((found.low < 0) | (found.high > 1) | (found.high <= found.low)).mean()),
                        }  # fmt: skip


def pairs(rng: np.random.Generator, first: Floats, last: Floats, prompts: int) -> tuple[Floats, Floats]:
    """Return prompt means (cells, prompts) of five responses at both ends.

    The shares (cells,) are thresholds of normal propensities, of which 30% are a prompt's own and 35% the same at both ends, as
    with the same seeds.
    """
    shape = (len(first), prompts, 5)
    own, same = rng.standard_normal((*shape[:2], 1), np.float32), rng.standard_normal(shape, np.float32)
    sides = []
    for share in (first, last):
        latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.standard_normal(shape, np.float32))
        sides.append((latent < stats.norm.ppf(share)[:, None, None]).mean(2))
    return sides[0], sides[1]


def magnitude_coverage(rng: np.random.Generator, draws: int) -> Iterator[dict[str, object]]:
    """Yield what intervals of a magnitude cover, a row for each number of prompts and pair of shares."""
    for prompts in PROMPTS:
        for first, last in MAGNITUDES:
            a, b = pairs(rng, np.full(draws, first), np.full(draws, last), prompts)
            yield {
                "prompts": prompts, "from": first, "to": last,
                "beta": covered(difference_limits(Pairs.of(a, b), TAIL), last - first),
                "t": covered(students_t(b - a), last - first),
            }  # fmt: skip


def repetition(rng: np.random.Generator, draws: int) -> Iterator[dict[str, object]]:
    """Yield how often a magnitude that is printed by one study agrees with that of another, which repeats it with other prompts.

    inside: it lies inside the other's interval; agrees: within both errors, as in the scorecard; flips: it agrees, and has the
    other sign.
    """
    for prompts in PROMPTS:
        for first, last in MAGNITUDES:
            shares = (np.full(draws, first), np.full(draws, last))
            (a, b), (c, d) = pairs(rng, *shares, prompts), pairs(rng, *shares, PRINTED)
            ours, printed, found = (b - a).mean(1), np.round((d - c).mean(1), 2), difference_limits(Pairs.of(a, b), TAIL)
            below, above = reach(ours - found.low, found.high - ours, np.full(draws, float(prompts)), PRINTED)
            agrees = (ours - below <= printed) & (printed <= ours + above)
            yield {
                "prompts": prompts, "from": first, "to": last,
                "inside": float(((found.low <= printed) & (printed <= found.high)).mean()), "agrees": float(agrees.mean()),
                "flips": float((agrees & (ours * printed < 0)).mean()),
            }  # fmt: skip


def tested(found: Pairs) -> tuple[Floats, Floats]:
    """Return p and p_preserved; 1 where p is above .2 at a glance, which no correction calls moved."""
    wide = difference_limits(found, 0.1)
    some = (wide.low > 0) | (wide.high < 0)
    p = np.ones(len(some))
    if some.any():
        p[some] = p_moved(found.at(np.flatnonzero(some)))
    near = difference_limits(found, LEVEL)  # TOST at this level: the 90% interval lies within the margin
    return p, np.where((near.low > -MARGIN) & (near.high < MARGIN), 0.0, 1.0)


def studies(rng: np.random.Generator, count: int, prompts: int, drifts: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield p and p_preserved (cells,) of simulated studies whose cells drift by `drifts` (cells,)."""
    first = np.resize(STARTS, CELLS)
    for start in range(0, count, CHUNK):
        many = min(CHUNK, count - start)
        a, b = pairs(rng, np.tile(first, many), np.tile(first + drifts, many), prompts)
        p, kept = tested(Pairs.of(a, b))
        yield from zip(p.reshape(many, CELLS), kept.reshape(many, CELLS), strict=True)


def verdicts(rng: np.random.Generator, count: int) -> Iterator[dict[str, object]]:
    """Yield how often verdicts are wrong, and what they find, a row for each number of prompts."""
    some = np.resize((0.05, 0.0, 0.0, 0.1, 0.0, 0.0, 0.2, 0.0, 0.0), CELLS)  # a third of the cells
    drifting = some > 0
    for prompts in PROMPTS:
        none = [holm(p) <= LEVEL for p, _ in studies(rng, count, prompts, np.zeros(CELLS))]
        mixed = [stats.false_discovery_control(p) <= LEVEL for p, _ in studies(rng, count // 4, prompts, some)]
        margin = [kept == 0 for _, kept in studies(rng, count // 4, prompts, np.full(CELLS, MARGIN))]
        false = [float(moved[~drifting].sum() / max(1, moved.sum())) for moved in mixed]
        yield {
            "prompts": prompts, "studies with a false moved (Holm)": float(np.mean([moved.any() for moved in none])),
            "false among moved (BH)": float(np.mean(false)), "preserved at the margin": float(np.mean(margin)),
            **{f"found of {size}": float(np.mean([moved[some == size].mean() for moved in mixed])) for size in (0.05, 0.1, 0.2)},
        }  # fmt: skip


def show(title: str, frame: pl.DataFrame) -> None:
    """Print a table under its title."""
    print(f"\n{title}")
    print(tabulate(frame.rows(), frame.columns, floatfmt=".3f"), flush=True)


def summarized(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the least, median and largest coverage of both intervals."""
    ends: dict[str, Callable[[pl.Expr], pl.Expr]] = {"least": pl.Expr.min, "median": pl.Expr.median, "most": pl.Expr.max}
    found = [end(pl.col(kind)).alias(f"{kind}, {name}") for kind in ("beta", "t") for name, end in ends.items()]
    return frame.group_by(by, maintain_order=True).agg(pl.len().alias("cells"), *found)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies without drift (a quarter as many with drift)")
    parser.add_argument("--draws", type=int, default=2000, help="samples of each cell of the coverage tables")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    values = pl.DataFrame(list(value_coverage(rng, options.draws)))
    kind = pl.when(pl.col("share").is_between(0.06, 0.94)).then(pl.lit(".1 to .9")).otherwise(pl.lit("rarer"))
    show("Coverage of 95% intervals of a value, by judge, prompts and true share (1 and 5 responses, correlation 0, .3, .8)",
         summarized(values.with_columns(share=kind), ["judge", "prompts", "share"]))  # fmt: skip
    print(f"intervals that leave [0, 1] or have no width: {values['outside'].mean():.0%}")
    magnitudes = pl.DataFrame(list(magnitude_coverage(rng, options.draws)))
    show("Coverage of 95% intervals of a magnitude, paired by prompt", magnitudes)
    show(f"Agreement of a magnitude with one that an exact repetition with {PRINTED} prompts prints",
         pl.DataFrame(list(repetition(rng, options.draws))))  # fmt: skip
    show("Coverage of 95% intervals over training seeds, 50 prompts and 5 responses",
         pl.DataFrame(list(seed_coverage(rng, options.draws // 2))))  # fmt: skip
    show(f"Verdicts of studies of {CELLS} cells: none drifts; a third drifts by .05, .10 or .20; all drift by the margin, {MARGIN}",
         pl.DataFrame(list(verdicts(rng, options.studies))))  # fmt: skip


if __name__ == "__main__":
    main()
