import polars as pl
import pytest
from report_world import BASE, CATEGORIES, PO
from table_world import job_of, pairs, questions, scores, stances, write_tables

from valuedrift.config.tables import SampleRow, ScoreRow
from valuedrift.errors import UserError
from valuedrift.io.tables import CURATION, DOWNSTREAM, GENERATIONS, PROMPTS, STANCES
from valuedrift.report import categories_table, downstream_table, pairs_table, quality_table, samples_table
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.report.table_files import read, shorten
from valuedrift.report.table_formats import to_latex, to_markdown


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"), world)


@pytest.fixture
def out(tmp_path):
    return {name: tmp_path / f"t.{name}" for name in ("csv", "markdown", "latex")}


def markdown(files):
    return files["markdown"].read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "longest", "short"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two [...]"),
        ("one two three", 7, "one two [...]"),
        ("one two three", 8, "one two [...]"),
        ("  one\n\ntwo three  ", 9, "one\n\ntwo [...]"),
        ("unbroken", 4, "unbr [...]"),
        ("   ", 4, ""),
    ],
)
def test_long_texts_are_cut_after_a_word(text, longest, short):
    assert shorten(text, longest) == short


def test_equal_inputs_give_equal_files(files, world, tmp_path):
    again = write_tables(tmp_path, world)
    for kind, paths in files.items():
        assert {name: path.read_bytes() for name, path in paths.items()} == {n: p.read_bytes() for n, p in again[kind].items()}


def test_markdown_has_titles_breaks_and_escapes():
    table = Table(
        [text_column("A|B"), number_column("n\n(x)")], [block("", [["a\n\nb", "1"]]), block("G*", [["c", "2"], ["d", "3"]])]
    )
    assert to_markdown(table, "A caption.").splitlines() == [
        "Table: A caption.", "", r"|  | A\|B | n<br>(x) |", "| :--- | :--- | ---: |", "|  | a<br>b | 1 |", r"| G\* | c | 2 |", "|  | d | 3 |",
    ]  # fmt: skip


def test_latex_prose_fills_the_line_and_other_tables_are_fitted():
    prose = to_latex(Table([text_column("A", share=0.4), text_column("B", share=0.6)], [block("", [["a", "[b"]])]), "")
    assert r"p{\dimexpr 0.400\linewidth-1.000\tabcolsep\relax}p{\dimexpr 0.600\linewidth-1.000\tabcolsep\relax}" in prose
    assert r"\raggedright\hspace{0pt}a & \raggedright\hspace{0pt}{[}b \tabularnewline" in prose
    assert r"\sbox0" not in prose and r"\caption" not in prose
    plain = to_latex(Table([text_column("A"), number_column("B")], [block("", [["a", "1"]])]), "C & D")
    assert r"\begin{tabular}{@{}lr@{}}" in plain and r"\caption{C \& D}" in plain and r"\sbox0" in plain


def test_categories_state_what_each_step_kept(tmp_path, out):
    rows = [("raw", "all", 100), ("kept", "all", 30), ("kept", "B", 20), ("kept", "A", 10)]
    CURATION.write(pl.DataFrame(rows, schema=CURATION.columns, orient="row"), tmp_path / "c.parquet")
    categories_table.run(
        config=job_of("categories", categories=["A", "B", "C"], caption=""), curation=tmp_path / "c.parquet", **out
    )
    assert markdown(out) == [
        "| Category | raw | kept |", "| :--- | ---: | ---: |", "| A | – | 10 |", "| B | – | 20 |", "| C | – | – |", "| All | 100 | 30 |",
    ]  # fmt: skip
    assert pl.read_csv(out["csv"])["kept"].to_list() == [10, 20, None, 30]


def test_samples_are_the_last_checkpoints_in_the_order_of_the_rows(files, world):
    frame = pl.read_csv(files["samples"]["csv"])
    assert frame["run"].to_list() == [BASE, *PO, "llama/alpaca"]
    assert frame["step"].to_list() == [0, *[888] * 6, 1097]
    assert frame["group"].to_list()[:2] == ["", "SFT with WildChat"]
    asked = PROMPTS.read(world.prompts).filter(question=frame["prompt"][0]).row(0, named=True)
    assert asked["category"] == CATEGORIES[1]
    said = pl.concat([GENERATIONS.read(path) for path in world.generations]).filter(
        run="llama/alpaca", step=1097, prompt_id=asked["prompt_id"], sample=0
    )
    assert frame["response"].to_list()[-1] == said["response"][0].strip()


def test_a_named_prompt_is_taken_and_one_that_is_missing_is_noted(world, out):
    questions = PROMPTS.read(world.prompts).filter(category=CATEGORIES[1])["question"].to_list()
    for question in questions:
        job = job_of("samples", prompt=f"  {question.upper()} ", rows=[SampleRow(headings=["Base"], run=BASE)])
        samples_table.run(config=job, prompts=world.prompts, generations=world.generations, **out)
        assert f"| Prompt | {question} |" in markdown(out)
    job = job_of("samples", prompt="Another?", rows=[SampleRow(headings=["Base"], run=BASE)])
    samples_table.run(config=job, prompts=world.prompts, generations=world.generations, **out)
    assert any(
        f"| Prompt | {question} (drawn; the prompt asked for is not among" in "\n".join(markdown(out)) for question in questions
    )


def test_the_drawn_prompt_follows_the_seed(world, out):
    drawn = set()
    for seed in range(8):
        job = job_of("samples", seed=seed, rows=[SampleRow(headings=["Base"], run=BASE)])
        samples_table.run(config=job, prompts=world.prompts, generations=world.generations, **out)
        drawn.add(pl.read_csv(out["csv"])["prompt"][0])
    assert len(drawn) > 1


def test_empty_responses_are_marked_as_empty(world, out, tmp_path):
    path = tmp_path / "g.parquet"
    GENERATIONS.write(GENERATIONS.read(world.generations[0]).with_columns(response=pl.lit(" \n")), path)
    job = job_of("samples", rows=[SampleRow(headings=["Base"], run=BASE)])
    samples_table.run(config=job, prompts=world.prompts, generations=[path], **out)
    assert "| Base | (an empty response) |" in markdown(out)


def test_a_response_like_a_formula_is_guarded_in_the_csv_alone(world, out, tmp_path):
    path = tmp_path / "g.parquet"
    GENERATIONS.write(GENERATIONS.read(world.generations[0]).with_columns(response=pl.lit("=1+1")), path)
    job = job_of("samples", rows=[SampleRow(headings=["Base"], run=BASE)])
    samples_table.run(config=job, prompts=world.prompts, generations=[path], **out)
    assert "| Base | =1+1 |" in markdown(out)
    assert pl.read_csv(out["csv"])["response"].to_list() == ["'=1+1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [SampleRow(headings=["A"], run="no/run")]}, "no response of the run `no/run`"),
        ({"category": "X"}, "no evaluation prompts of"),
    ],
)
def test_samples_that_cannot_be_shown_are_the_users_error(world, out, changes, message):
    with pytest.raises(UserError, match=message):
        samples_table.run(config=job_of("samples", **changes), prompts=world.prompts, generations=world.generations, **out)


def test_a_pair_of_each_category_is_drawn_by_the_seed(tmp_path, out):
    path = pairs(tmp_path / "p.jsonl")
    drawn = set()
    for seed in range(8):
        pairs_table.run(config=job_of("pairs", categories=CATEGORIES[::-1], seed=seed), pairs=path, **out)
        frame = pl.read_csv(out["csv"])
        assert frame["category"].to_list() == CATEGORIES[::-1]
        assert all(frame.select(pl.col("prompt").str.contains(pl.col("category"), literal=True)).to_series())
        drawn.add(frame["prompt"][0])
    assert len(drawn) > 1
    assert all(text.endswith(" [...]") and len(text) <= 406 for text in frame["support"])


def test_pairs_without_a_category_and_unknown_categories_are_the_users_errors(tmp_path, out):
    with pytest.raises(UserError, match=r"no pair of the category `Sports`; it has: Climate"):
        pairs_table.run(config=job_of("pairs", categories=["Sports"]), pairs=pairs(tmp_path / "p.jsonl"), **out)
    (tmp_path / "q.jsonl").write_text('{"prompt": "p", "support": "s", "oppose": "o"}\n')
    with pytest.raises(UserError, match="no text in the field `category`"):
        pairs_table.run(config=job_of("pairs"), pairs=tmp_path / "q.jsonl", **out)


def downstream(out, tables, right=None, **changes):
    """Write a table of scores; `right` has {run: {task: score of each question}}."""
    asked = [questions(tables[0].with_name("questions.parquet"), right)] if right else []
    downstream_table.run(config=job_of("downstream", **changes), downstream=tables, questions=asked, **out)
    return [line.replace("\\", "") for line in markdown(out)]


def test_downstream_shows_scores_with_their_errors_and_the_difference_from_the_base(files):
    lines = markdown(files["downstream"])
    heads = [f"{task} ({metric}) 5-shot {under}" for task, metric in (("MMLU", "acc"), ("HellaSwag", "acc\\_norm"),
             ("GPQA Diamond", "acc"), ("PIQA", "acc\\_norm")) for under in ("score", "from base")]  # fmt: skip
    assert lines[2] == f"|  | Model | {' | '.join(heads)} |"
    scores = [f"0.50{n}0 ± 0.0035 | –" for n in range(4)]
    assert lines[4] == f"|  | Llama3 3B Base | {' | '.join(scores)} |"
    last = next(line for line in lines if line.startswith("| SFT with Alpaca")).split(" | ")
    assert last[2:4] == ["0.5200 ± 0.0035", "0.000 \\[-.014, .014\\] p = 1.000"]  # all 198 answers are those of the base
    frame = pl.read_csv(files["downstream"]["csv"])
    assert frame.columns == [
        "group",
        "name",
        "run",
        *list(DOWNSTREAM.columns)[1:],
        "difference",
        "difference_low",
        "difference_high",
        "p",
    ]


def test_downstream_over_seeds_is_mean_and_standard_deviation(tmp_path, out):
    tables = [scores(tmp_path / "a.parquet", ["m/base", "m/a"]), scores(tmp_path / "b.parquet", ["m/b", "m/c"], shift=0.2)]
    rows = [ScoreRow(headings=["Base"], runs=["m/base"]), ScoreRow(headings=["All"], runs=["m/a", "m/b", "m/c"])]
    assert downstream(out, tables, rows=rows, tasks=["PIQA"])[-1] == "| All | 0.6430 ± 0.1127 |"
    right = {run: {"PIQA": [1] * n + [0] * (10 - n)} for run, n in (("m/base", 4), ("m/a", 5), ("m/b", 6), ("m/c", 7))}
    lines = downstream(out, tables, right, rows=rows, tasks=["PIQA"], bases=dict.fromkeys(["m/a", "m/b", "m/c"], "m/base"))
    # Differences of .1, .2 and .3 over seeds: t is .2 / (.1 / √3), with 2 degrees of freedom.
    assert lines[-3] == "| All | 0.6430 ± 0.1127 | 0.200 [-.048, .448] p = .074 |"


def test_downstream_differs_by_question(tmp_path, out):
    """Of ten questions one is won and four are lost; p is that of five coins of which at most one shows heads, doubled."""
    tables, rows = (
        [scores(tmp_path / "a.parquet", ["m/base", "m/a"])],
        [ScoreRow(headings=[r], runs=[f"m/{r}"]) for r in ("base", "a")],
    )
    right = {"m/base": {"PIQA": [1] * 4 + [0] * 6}, "m/a": {"PIQA": [0] * 4 + [1] + [0] * 5}}
    given = {"rows": rows, "tasks": ["PIQA"], "bases": {"m/a": "m/base"}}
    assert downstream(out, tables, right, **given)[-3].endswith("| -0.300 [-.658, .158] p = .375 |")
    right["m/a"]["PIQA"] = [0.5] * 9 + [0.7]  # no accuracy: Student's t
    assert downstream(out, tables, right, **given)[-3].endswith("| 0.120 [-.264, .504] p = .498 |")
    right["m/a"]["PIQA"] = [1] * 9
    with pytest.raises(UserError, match=r"`m/a` and `m/base` were asked different questions of `PIQA`"):
        downstream(out, tables, right, **given)


def test_downstream_says_where_a_benchmark_tells_nothing_apart(tmp_path, out):
    path = scores(tmp_path / "a.parquet", ["m/a", "m/b"])
    DOWNSTREAM.write(DOWNSTREAM.read(path).with_columns(value=pl.when(pl.col("task") == "MMLU").then(1.0).otherwise("value")), path)
    rows = [ScoreRow(headings=[run], runs=[run]) for run in ("m/a", "m/b")]
    downstream(out, [path], rows=rows, tasks=["MMLU", "PIQA"])
    assert read(out["csv"], downstream_table.layout).note == "Every model scores 1.0000 on MMLU: too easy to tell them apart."


def test_downstream_without_an_error_shows_the_score_alone(tmp_path, out):
    path = scores(tmp_path / "a.parquet", ["m/a"])
    DOWNSTREAM.write(DOWNSTREAM.read(path).with_columns(stderr=pl.lit(None, pl.Float64)), path)
    assert downstream(out, [path], rows=[ScoreRow(headings=["A"], runs=["m/a"])], tasks=["MMLU"])[-1] == "| A | 0.5000 |"


def test_rows_of_one_name_in_two_groups_stay_apart(tmp_path, out):
    rows = [ScoreRow(headings=[group, "SFT"], runs=[run]) for group, run in (("A", "m/a"), ("B", "m/b"))]
    lines = downstream(out, [scores(tmp_path / "a.parquet", ["m/a", "m/b"])], rows=rows, tasks=["MMLU"])
    assert lines[-2:] == ["| A | SFT | 0.5000 ± 0.0035 |", "| B | SFT | 0.5100 ± 0.0035 |"]


@pytest.mark.parametrize("change", [{"rows": [ScoreRow(headings=["A"], runs=["no/run"])]}, {"tasks": ["ARC"]}])
def test_a_score_that_is_not_there_is_the_users_error(tmp_path, out, change):
    with pytest.raises(UserError, match=r"the run `.*` has no score on `.*`: measure it first"):
        downstream(out, [scores(tmp_path / "a.parquet", [BASE])], **change)


def test_quality_has_a_row_for_each_runs_ends_and_counts_flags(files):
    lines = markdown(files["quality"])
    assert lines[4] == "|  | Llama3 3B Base | 0 | 110 | 10.0% | 10.0% | 10.0% | 10.0% | 0.900 | 0.080 | 50.0% |"
    assert [line.split(" | ")[1:4] for line in lines[5:8]] == [
        ["Llama3 3B ppo-s", "0", "110"], ["", "888", "110"], ["Llama3 3B dpo-s", "0", "110"],
    ]  # fmt: skip
    frame = pl.read_csv(files["quality"]["csv"])
    assert frame.filter(run="llama/alpaca")["step"].to_list() == [0, 1097] and set(frame["malformed"]) == {0.1}


def test_quality_at_all_checkpoints_over_seeds_in_some_categories(tmp_path, out):
    tables = [stances(tmp_path / "a.parquet", {"m/a": [0, 5, 9]}), stances(tmp_path / "b.parquet", {"m/b": [0, 5, 8]})]
    STANCES.write(
        STANCES.read(tables[1]).with_columns(
            pl.col("bound") * 2,
            pl.col("support", "neutral", "oppose").fill_null(1 / 3),
            pl.col("mass").fill_null(0.9),
            status=pl.lit("ok"),
            flips=pl.lit(None, pl.Float64),
        ),
        tables[1],
    )
    job = job_of("quality", rows=[ScoreRow(headings=["Both"], runs=["m/a", "m/b"])], checkpoints="all", categories=CATEGORIES[:2])
    quality_table.run(config=job, stances=tables, **out)
    assert markdown(out)[-3:] == [
        "| Both | 0 | 40 | 5.0% | 5.0% | 5.0% | 10.0% | 0.900 | 0.160 | 50.0% |", "|  | 5 | 40 | 5.0% | 5.0% | 5.0% | 10.0% | 0.900 | 0.160 | 50.0% |",
        "|  | 8–9 | 40 | 5.0% | 5.0% | 5.0% | 10.0% | 0.900 | 0.160 | 50.0% |",
    ]  # fmt: skip


def test_quality_of_a_run_that_was_not_judged_is_the_users_error(tmp_path, out):
    job = job_of("quality", rows=[ScoreRow(headings=["A"], runs=["no/run"])])
    with pytest.raises(UserError, match=r"the run `no/run` has no stances on .*: judge it first"):
        quality_table.run(config=job, stances=[stances(tmp_path / "a.parquet", {"m/a": [0]})], **out)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "metric,category\nmagnitude,x\n"])
def test_a_file_of_another_kind_is_the_users_error(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match="is not a table of its kind"):
        read(tmp_path / "t.csv", downstream_table.layout)
