"""Counts how many prompts each step of curation kept."""

from pathlib import Path

import polars as pl

from valuedrift.io.tables import CATEGORIES, CLUSTERS, CURATION, PROMPTS, QUESTIONS, RAW_PROMPTS, VALUE_LADEN

ALL = "all"


def run(*, raw: Path, questions: Path, clusters: Path, categories: Path, value_laden: Path, prompts: Path, output: Path) -> None:
    """Write the counts of each step: over all prompts first, then per category for the steps that have categories."""
    candidates, drawn = VALUE_LADEN.read(value_laden), PROMPTS.read(prompts)
    belongs = CATEGORIES.read(categories)
    clustered = CLUSTERS.read(clusters).filter(pl.col("cluster") >= 0)
    rows: list[dict[str, object]] = [
        _row("raw", RAW_PROMPTS.read(raw)),
        _row("questions", QUESTIONS.read(questions)),
        _row("clustered", clustered),
        _row("categorised", clustered.join(belongs.filter(pl.col("category").is_not_null()), on="cluster", how="semi")),
        _row("value-laden", candidates.filter("keep")),
        _row("drawn", drawn),
    ]
    names = pl.concat([drawn["category"], candidates["category"].sort()]).unique(maintain_order=True)
    by_step = {"categorised": candidates, "value-laden": candidates.filter("keep"), "drawn": drawn}
    rows += [_row(step, frame.filter(pl.col("category") == name), name) for step, frame in by_step.items() for name in names]
    CURATION.write(CURATION.frame(rows), output)


def _row(step: str, frame: pl.DataFrame, category: str = ALL) -> dict[str, object]:
    return {"step": step, "category": category, "prompts": frame.height}
