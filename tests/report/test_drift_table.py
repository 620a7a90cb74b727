import polars as pl
import pytest
from report_world import CATEGORIES, JUDGE, drift_row, table_job

from valuedrift.config.base import STANCES
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT
from valuedrift.report import drift_table
from valuedrift.report.drift_table import layout, pivot
from valuedrift.report.numbers import decimal
from valuedrift.report.table import Table
from valuedrift.report.table_files import read
from valuedrift.report.table_formats import to_latex, to_markdown

NASTY = r"50% & a_b #1 ~x^2 {y} \z <i> $5 | [q] * –"


def drift_of(*rows):
    """DRIFT of (run, category, three magnitudes, three times)."""
    return DRIFT.frame(
        [
            drift_row(run, category, stance, magnitude, time)
            for run, category, magnitudes, times in rows
            for stance, magnitude, time in zip(STANCES, magnitudes, times, strict=True)
        ]
    )


TWO = drift_of(
    ("m/wild", "Abortion", (-0.3, 0.728, -0.428), (0.0909, 1.0, 0.0909)),
    ("m/wild", "Race", (-0.0049, 0.005, -0.0001), (0.0909, None, 0.5)),
    ("m/alpaca", "Abortion", (0.15, 0.1, -0.25), (0.09, 0.27, 0.46)),
)


def printed(drift, job, folder) -> Table:
    """The table of the CSV that the step writes."""
    pivot(drift, job).write_csv(folder / "t.csv")
    return read(folder / "t.csv", layout)


def texts(table):
    """Block title → category → cells as text."""
    return {block.title: {str(row[0]): [str(cell) for cell in row[1:]] for row in block.rows} for block in table.blocks}


def test_markdown_is_the_papers_layout(tmp_path):
    job = table_job([("Wild", "m/wild"), ("Alpaca", "m/alpaca")], ("Abortion", "Race"), ("magnitude", "time"), "Drift by topic.")
    assert to_markdown(printed(TWO, job, tmp_path), job.caption).splitlines() == [
        "Table: Drift by topic.",
        "",
        "| Metric | Category | Wild support | Wild neutral | Wild oppose | Alpaca support | Alpaca neutral | Alpaca oppose |",
        "| :--- | :--- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| drift magnitude | Abortion | -0.30 | 0.73 | -0.43 | 0.15 | 0.10 | -0.25 |",
        "|  | Race | 0.00 | 0.01 | 0.00 | – | – | – |",
        "| drift time | Abortion | 0.09 | 1.00 | 0.09 | 0.09 | 0.27 | 0.46 |",
        "|  | Race | 0.09 | – | 0.50 | – | – | – |",
    ]


def test_times_of_half_and_ninety_have_their_sets(tmp_path):
    row = drift_row("m/a", "Race", "support", 0.4, 0.5) | {"half": 0.25, "half_low": 0.1, "half_high": 0.5, "verdict": "moved"}
    job = table_job([("A", "m/a")], ("Race",), ("half", "ninety"), interval="all", times="moved")
    frame = pivot(DRIFT.frame([row]), job)
    assert frame.select("A / support", "A / support / low", "A / support / high").rows() == [(0.25, 0.1, 0.5), (None, None, None)]
    assert "A / support / verdict" not in frame.columns and "times" in frame.columns
    shown = texts(printed(DRIFT.frame([row]), job, tmp_path))
    assert shown["time of half the drift"]["Race"][0] == "0.25 [.10, .50]" and shown["time of 90% of the drift"]["Race"][0] == "–"


def test_rows_and_columns_follow_the_job_not_the_data():
    frame = pivot(TWO, table_job([("B", "m/alpaca"), ("A", "m/wild")], ("Race", "Abortion"), ("time",)))
    assert frame.columns == ["metric", "category", *(f"{heading} / {stance}" for heading in "BA" for stance in STANCES)]
    assert frame.select("metric", "category").rows() == [("time", "Race"), ("time", "Abortion")]
    assert frame.row(1)[2:] == (0.09, 0.27, 0.46, 0.0909, 1.0, 0.0909)


def test_another_judges_numbers_stay_out():
    other = TWO.with_columns(pl.lit("other").alias("judge"), pl.col("magnitude") + 1)
    job = table_job([("A", "m/wild")], ("Abortion",))
    assert pivot(pl.concat([other, TWO]), job).equals(pivot(TWO, job))


@pytest.mark.parametrize(("run", "judge"), [("m/base", JUDGE), ("m/wild", "nobody")])
def test_a_column_without_drift_is_the_users_error(run, judge):
    with pytest.raises(UserError, match=f"`{run}` by the judge `{judge}`"):
        pivot(TWO, table_job([("A", "m/wild"), ("B", run)], ("Abortion",), judge=judge if run == "m/wild" else JUDGE))


def test_heading_levels_span_their_columns(tmp_path):
    columns = [("oppose", "PPO", "m/wild"), ("oppose", "DPO", "m/alpaca"), ("support", "PPO", "m/wild"), ("SFT", "m/alpaca")]
    table = printed(TWO, table_job(columns), tmp_path)
    assert table.spans() == [[("oppose", 6), ("support", 3), ("", 3)], [("PPO", 3), ("DPO", 3), ("PPO", 3), ("SFT", 3)]]
    assert [column.headings[-1] for column in table.columns] == ["Category", *STANCES * len(columns)]
    assert table.opens == {1, 4, 7, 10}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.005, "0.01"), (0.125, "0.12"), (-0.0049, "0.00"), (-0.0, "0.00"), (-0.006, "-0.01"), (1, "1.00"), (None, "–"),
     (float("nan"), "–"), (float("inf"), "–")],
)  # fmt: skip
def test_two_decimals(value, text):
    assert decimal(value) == text


def test_csv_keeps_precision_and_headings_read_back(tmp_path):
    columns = [("oppose", "PPO", "m/wild"), ("odd / heading", 'a "quote"', "m/alpaca"), ("SFT, plain", "m/alpaca")]
    table = printed(TWO, table_job(columns, ("Abortion", "Race"), ("magnitude", "time")), tmp_path)
    frame = pl.read_csv(tmp_path / "t.csv")
    assert frame.columns[:4] == ["metric", "category", "oppose / PPO / support", "oppose / PPO / support / prompts"]
    assert frame["oppose / PPO / support"].to_list() == [-0.3, -0.0049, 0.0909, 0.0909]
    assert table.spans() == [
        [("oppose", 3), ("odd/heading", 3), ("", 3)],
        [("PPO", 3), ('a "quote"', 3), ("SFT, plain", 3)],
    ]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "metric,category,A / support\nmagnitude,x,oops\n", "metric,category,A\nmagnitude,x,1\n"]
)
def test_a_file_that_is_no_drift_table_is_the_users_error(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"is not a table of its kind .* `snakemake --force .*t\.csv`"):
        read(path, layout)


def test_markdown_escapes_what_would_break_its_cells(tmp_path):
    drift = drift_of(("m/wild", NASTY, (0.1, 0.2, 0.3), (1, 1, 1)))
    line = to_markdown(printed(drift, table_job([("a|b", "m/wild")], (NASTY,)), tmp_path), "two\nlines").splitlines()
    assert line[0] == "Table: two lines"
    assert "| a\\|b support |" in line[2]
    assert line[4].startswith(r"| drift magnitude | 50% & a\_b \#1 \~x^2 \{y\} \\z \<i\> \$5 \| \[q\] \* – | 0.10 |")


def test_latex_is_balanced_and_escaped(tmp_path):
    drift = drift_of(("m/wild", NASTY, (-0.1, None, 0.3), (1, 1, 1)), ("m/alpaca", NASTY, (0, 0, 0), (1, 1, 1)))
    columns = [("top_1", "A&B", "m/wild"), ("top_1", "C", "m/alpaca"), ("Base", "m/wild")]
    lines = to_latex(printed(drift, table_job(columns, (NASTY,), ("magnitude", "time")), tmp_path), "100% caption").splitlines()
    assert r"\caption{100\% caption}" in lines
    assert r"& \multicolumn{6}{c}{top\_1} & \multicolumn{3}{c}{} \\" in lines
    assert r"\cmidrule(lr){2-7}" in lines  # none under the blank heading
    assert r"& \multicolumn{3}{c}{A\&B} & \multicolumn{3}{c}{C} & \multicolumn{3}{c}{Base} \\" in lines
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7} \cmidrule(lr){8-10}" in lines
    row = next(line for line in lines if line.startswith("50"))
    assert row.startswith(
        r"50\% \& a\_b \#1 \textasciitilde{}x\textasciicircum{}2 \{y\} \textbackslash{}z \textless{}i\textgreater{} "
    )
    assert row.endswith(r"\$5 \textbar{} {[}q{]} {*} -- & $-0.10$ & -- & 0.30 & 0.00 & 0.00 & 0.00 & $-0.10$ & -- & 0.30 \\")
    body = [line for line in lines if line.endswith(r"\\")]
    assert all(_cells(line) == 10 for line in body), body
    text = "\n".join(lines)
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    assert sum(1 for line in lines if line == r"\midrule") == 2


def _cells(line):
    """Columns that a LaTeX row fills."""
    spans = sum(int(part.split("}")[0]) - 1 for part in line.split(r"\multicolumn{")[1:])
    return line.replace(r"\&", "").count("&") + 1 + spans


MARKED = DRIFT.frame([
    drift_row("m/a", "Race", "support", -0.3, 0.5, magnitude_low=-0.42, magnitude_high=-0.17, p=1e-4, q=2e-4, verdict="moved"),
    drift_row("m/a", "Race", "neutral", 0.004, None, magnitude_low=-0.03, magnitude_high=0.03, p=0.7, q=0.7, verdict="preserved"),
    drift_row("m/a", "Race", "oppose", 0.0, None, magnitude_low=-1.0, magnitude_high=1.0, p=1.0, q=1.0, verdict="undecided", prompts=4),
])  # fmt: skip
"""A drift that moved, one that is preserved, and one from 4 of 50 prompts."""
EVERYTHING = {"metrics": ("magnitude", "time"), "interval": "all", "verdicts": True, "times": "moved"}


def test_intervals_verdicts_and_missing_prompts_are_printed_and_explained(tmp_path):
    table = printed(MARKED, table_job([("A", "m/a")], ("Race",), **EVERYTHING), tmp_path)
    assert texts(table) == {
        "drift magnitude": {"Race": ["-0.30* [-.42, -.17]", "0.00= [-.03, .03]", "0.00 [-1.00, 1.00] (4 of 50)"]},
        "drift time": {"Race": ["0.50", "–", "–"]},
    }
    for part in ("q ≤ 0.05, Benjamini and Hochberg's correction for all 3 drifts", "a drift of 0.05 or more is ruled out",
                 "95% intervals", "What did not move has no drift time",
                 "from how many of the prompts"):  # fmt: skip
        assert part in table.note
    assert to_markdown(table, "").splitlines()[-1].startswith(r"\* moved: ")
    assert "| -0.30\\* \\[-.42, -.17\\] |" in to_markdown(table, "")
    lines = to_latex(table, "").splitlines()
    row = next(n for n, line in enumerate(lines) if line.startswith("Race"))
    assert lines[row] == r"Race & $-0.30$\makebox[.5em][l]{$^{*}$} & 0.00\makebox[.5em][l]{$^{=}$} & 0.00\hspace{.5em} \\[-3pt]"
    assert lines[row + 1].startswith(r"& {\tiny {[}-.42, -.17{]}} & {\tiny {[}-.03, .03{]}} &")
    assert lines[row + 2] == r"&  &  & {\tiny (4 of 50)} \\"
    assert any(r"\parbox{\linewidth}{\scriptsize {*} moved:" in line for line in lines)


@pytest.mark.parametrize(("interval", "columns"), [("html", True), ("all", True), ("none", False)])
def test_the_csv_has_intervals_at_full_precision_and_markdown_where_it_shall(tmp_path, interval, columns):
    DRIFT.write(MARKED, tmp_path / "d.parquet")
    job = table_job([("A", "m/a")], ("Race",), **EVERYTHING | {"interval": interval})
    files = {kind: tmp_path / f"t.{kind}" for kind in ("csv", "markdown", "latex")}
    drift_table.run(config=job, drift=[tmp_path / "d.parquet"], **files)
    frame = pl.read_csv(files["csv"])
    assert ("A / support / low" in frame.columns) == columns
    if columns:
        assert frame["A / support / low"].to_list() == [-0.42, None]
    assert frame["A / support / q"].to_list() == [2e-4, None] and frame["A / neutral / verdict"].to_list() == ["preserved", None]
    assert frame["A / oppose / prompts"].to_list() == [4, None] and frame["tested"].to_list() == [3, 3]
    for kind in ("markdown", "latex"):
        assert ("-.42" in files[kind].read_text()) == (interval == "all")
        assert "4 of 50" in files[kind].read_text()
    assert any("[-.42, -.17]" in text for text in texts(read(files["csv"], layout))["drift magnitude"]["Race"]) == columns


def test_a_drift_is_corrected_for_all_of_the_judges_not_only_those_in_the_table(tmp_path):
    others = [drift_row("m/b", f"c{n}", "support", 0.1, None, p=0.5, q=0.6, verdict="undecided") for n in range(5)]
    others.append(drift_row("m/b", "c", "support", 0.1, None, "somebody", p=0.5, q=0.6, verdict="undecided"))
    job = table_job([("A", "m/a")], ("Race",), **EVERYTHING | {"correction": "holm"})
    assert "Holm's correction for all 8 drifts" in printed(pl.concat([MARKED, DRIFT.frame(others)]), job, tmp_path).note


def test_without_verdicts_nothing_is_marked_and_missing_prompts_still_show(tmp_path):
    table = printed(MARKED, table_job([("A", "m/a")], ("Race",)), tmp_path)
    assert texts(table)["drift magnitude"]["Race"] == ["-0.30", "0.00", "0.00 (4 of 50)"]
    assert not table.marked and "moved" not in table.note


def test_columns_of_several_seeds_are_named_in_the_note(tmp_path):
    pooled = MARKED.with_columns(run=pl.lit("m/a-seeds"), seeds=pl.lit(3, pl.Int64))
    job = table_job([("Alpaca", "m/a-seeds"), ("One", "m/a")], ("Race",), **EVERYTHING)
    frame = pivot(pl.concat([MARKED, pooled]), job)
    assert frame["Alpaca / support / seeds"].to_list() == [3, None] and "One / support / seeds" not in frame.columns
    note = printed(pl.concat([MARKED, pooled]), job, tmp_path).note
    assert "training seeds" in note and "Alpaca (3)" in note and "One" not in note
    fewer = pooled.with_columns(
        seeds=pl.when(pl.col("stance") == "neutral").then(2).otherwise(3).cast(pl.Int64), category=pl.lit("A")
    )
    job = table_job([("Alpaca", "m/a-seeds")], ("Race", "A"), **EVERYTHING | {"metrics": ("time", "magnitude"), "interval": "none"})
    cells = texts(printed(pl.concat([pooled, fewer]), job, tmp_path))["drift magnitude"]
    assert (cells["Race"][1], cells["A"][1]) == ("0.00=", "0.00= (2 of 3 seeds)")


def test_run_writes_the_three_files(tmp_path, world):
    job = table_job([("WildChat", "llama/wildchat"), ("Alpaca", "llama/alpaca")], CATEGORIES, ("magnitude", "time"), "SFT.")
    paths = {kind: tmp_path / f"deep/t.{kind}" for kind in ("csv", "markdown", "latex")}
    drift_table.run(config=job, drift=[world.drift], **paths)
    drift = DRIFT.read(world.drift).filter(
        (pl.col("run") == "llama/alpaca") & (pl.col("stance") == "oppose") & (pl.col("category") == "Race and Racism")
    )
    row = pl.read_csv(paths["csv"]).filter(pl.col("category") == "Race and Racism")
    assert row["Alpaca / oppose"].to_list() == [drift["magnitude"][0], drift["time"][0]]
    assert paths["markdown"].read_text().count("\n") == 2 + 2 + 22
    assert paths["latex"].read_text().startswith("% Needs booktabs")
