"""Whether preference optimization moved the judged topic towards the trained side: the two are not the same axis."""

import polars as pl

from valuedrift.report.table import Table, block, number_column, text_column

SIDES = ("support", "oppose")
DIRECTIONS = ("towards", "away", "undecided")


def directed(cells: pl.DataFrame) -> pl.DataFrame:
    """Return the cells with direction_paper and direction: towards or away from the trained side; undecided where it did not move.

    They are about the support stance, in runs on preferences with a trained side; "" elsewhere.
    """
    trained = pl.col("chosen").is_in(SIDES) & (pl.col("metric") == "magnitude") & (pl.col("stance") == "support")
    side = pl.when(pl.col("chosen") == "support").then(1).otherwise(-1)
    found = {"direction_paper": ("paper", "moved_paper"), "direction": ("ours", "moved")}
    return cells.with_columns(
        pl.when(~trained | pl.col(value).is_null()).then(pl.lit(""))
        .when(~pl.col(moved).fill_null(value=False)).then(pl.lit("undecided"))
        .when(pl.col(value) * side > 0).then(pl.lit("towards"))
        .otherwise(pl.lit("away")).alias(name)
        for name, (value, moved) in found.items()
    )  # fmt: skip


def axis_table(cells: pl.DataFrame) -> Table:
    """Return how many runs moved each category's support towards the trained side, and away from it: the paper's and ours."""
    names = {"direction_paper": "paper", "direction": "ours"}
    shown = [name for name in names if (cells[name] != "").any()]
    columns = [
        number_column(f"{side} trained", names[name], direction) for side in SIDES for name in shown for direction in DIRECTIONS
    ]  # fmt: skip
    rows = []
    for (category,), same in cells.filter(pl.col("direction_paper") != "").group_by("category", maintain_order=True):
        counts = {(row["chosen"], name, row[name]): 0 for row in same.iter_rows(named=True) for name in shown}
        for row in same.iter_rows(named=True):
            for name in shown:
                counts[row["chosen"], name, row[name]] += 1
        keys = [(side, name, direction) for side in SIDES for name in shown for direction in DIRECTIONS]
        rows.append([str(category), *(str(counts.get(key, 0)) for key in keys)])
    return Table([text_column("Category"), *columns], [block("", rows)])
