"""What the intervals, p-values, verdicts, bands and times of a study are worth, on simulated ones whose truth is known.

    python benchmarks/validity [--part times]

Prints how often intervals of a value and of a magnitude cover the truth, against Student's t, and over several training seeds; the
same of contrasts of two drifts; how many studies without drift have a cell that is called moved; how many of the cells called moved
did not move, where some did; how often a drift of just the margin is called preserved; how many drifts of .05, .10 and .20 are
found; how often a trajectory lies in its band; and bias and coverage of the times of half and 90% of a change, next to the paper's
rule. About 4 minutes on one core.
"""

import argparse
from collections.abc import Iterable

import bands
import contrasts
import coverage
import numpy as np
import polars as pl
import seeds
import times
import verdicts
from simulated import Row
from tabulate import tabulate

PARTS = ("coverage", "contrasts", "seeds", "verdicts", "bands", "times")


def show(title: str, rows: Iterable[Row]) -> None:
    """Print a table under its title."""
    print(f"\n{title}")
    print(tabulate(list(rows), headers="keys", floatfmt=".3f"), flush=True)


def show_coverage(rng: np.random.Generator, draws: int) -> None:
    """Print what intervals of values and of magnitudes cover."""
    values = pl.DataFrame(list(coverage.value_coverage(rng, draws)))
    kind = pl.when(pl.col("share").is_between(0.06, 0.94)).then(pl.lit(".1 to .9")).otherwise(pl.lit("rarer"))
    summary = coverage.summarized(values.with_columns(share=kind), ["judge", "prompts", "share"])
    show("Coverage of 95% intervals of a value, by judge, prompts and true share (1 and 5 responses, correlation 0, .3, .8)",
         summary.to_dicts())  # fmt: skip
    print(f"intervals that leave [0, 1] or have no width: {values['outside'].mean():.0%}")
    show("Coverage of 95% intervals of a magnitude, paired by prompt", coverage.magnitude_coverage(rng, draws))
    show(f"Agreement of a magnitude with one that an exact repetition with {coverage.PRINTED} prompts prints",
         coverage.repetition(rng, draws))  # fmt: skip


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="print only these tables")
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies without drift (a quarter as many with drift)")
    parser.add_argument("--draws", type=int, default=2000, help="samples of each cell of the coverage tables")
    parser.add_argument("--trajectories", type=int, default=300, help="trajectories of each row of the tables of bands and times")
    options = parser.parse_args()
    parts = {part: np.random.default_rng(0) for part in options.part or PARTS}
    if "coverage" in parts:
        show_coverage(parts["coverage"], options.draws)
    if rng := parts.get("contrasts"):
        show("Contrasts of two drifts: coverage of 95% intervals, how often p is small where there is no difference, and how often"
             f" it is called equivalent within {contrasts.MARGIN}", contrasts.contrast_coverage(rng, options.draws))  # fmt: skip
    if rng := parts.get("seeds"):
        show(f"Coverage of 95% intervals over training seeds, {seeds.PROMPTS} prompts and 5 responses",
             seeds.seed_coverage(rng, options.draws // 2))  # fmt: skip
    if rng := parts.get("verdicts"):
        show(f"Verdicts of studies of {verdicts.CELLS} cells: none drifts; a third drifts by .05, .10 or .20; all drift by the"
             f" margin, {verdicts.MARGIN}", verdicts.verdicts(rng, options.studies))  # fmt: skip
    if rng := parts.get("bands"):
        show("How often all values of a trajectory's checkpoints and stances lie in its 95% band, and in their 95% intervals",
             bands.joint_coverage(rng, options.trajectories))  # fmt: skip
    if rng := parts.get("times"):
        show("When half and 90% of a change were reached: bias, its median, and coverage of 95% sets",
             times.change_times(rng, options.trajectories))  # fmt: skip
        show("Drift times by the paper's rule", times.printed_times(rng, options.trajectories))


if __name__ == "__main__":
    main()
