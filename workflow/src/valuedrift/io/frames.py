"""Frames of a few rows that outlive the large table they were taken from."""

import polars as pl


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a copy that shares no memory with the table that its rows were taken from.

    polars keeps all texts of a column as long as one row of it is left: a draw over 30 runs of 198,000 responses kept 2.5 GB for
    its 3,300 rows.
    """
    return pl.DataFrame(frame.rows(), frame.schema, orient="row")
