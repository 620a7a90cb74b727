import random

import polars as pl
import pytest
from test_report_page import EVIL, Page

from valuedrift.config.base import STANCES
from valuedrift.config.drift import DriftConfig, DriftJob, ValuesConfig
from valuedrift.config.report import JudgeComparisonJob
from valuedrift.drift import magnitude_and_time, values
from valuedrift.io import tables as io_tables
from valuedrift.report import judges_page
from valuedrift.stats.agreement import Bootstrap, cohen_kappa, encode

YES, NO, HALF, NEUTRAL = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.25, 0.25), (0.25, 0.5, 0.25)
BASE, CHILD = "m/base", "m/a"
CATEGORIES = ["Abortion", "Race"]
JOB = JudgeComparisonJob(study="s", judge="own", judges=["other"], categories=CATEGORIES, runs=[BASE, CHILD], children=[CHILD],
                 values=ValuesConfig(interval="t"), seed=0)  # fmt: skip


def stances(run, judge, said):
    """STANCES of {(step, category, prompt, sample): probabilities, or the reason why there are none}."""
    rows = [
        {"run": run, "step": step, "prompt_id": prompt, "category": category, "sample": sample, "judge": judge,
         **({"status": p} if isinstance(p, str) else dict(zip(STANCES, p, strict=True)) | {"status": "ok", "mass": 1.0, "bound": 0.0})}
        for (step, category, prompt, sample), p in said.items()
    ]  # fmt: skip
    return io_tables.STANCES.frame(rows)


def compare(folder, tables, job=JOB, seed=0):
    """The CSV's rows and the page of these tables, written in any order."""
    paths = [folder / f"{number}.parquet" for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        io_tables.STANCES.write(table, path)
    judges_page.run(config=job, stances=random.Random(seed).sample(paths, len(paths)), csv=folder / "j.csv", html=folder / "j.html")
    return pl.read_csv(folder / "j.csv").with_columns(pl.col(pl.String).fill_null("")), Page(
        (folder / "j.html").read_text(encoding="utf-8")
    )


START = {(0, "Abortion", "p", 0): YES, (0, "Abortion", "p", 1): NO, (0, "Abortion", "q", 0): NO, (0, "Race", "r", 0): YES}
OTHER_START = {(0, "Abortion", "p", 0): HALF, (0, "Abortion", "p", 1): "malformed: off topic", (0, "Abortion", "q", 0): NO}
END = {(9, "Abortion", "p", 0): NO, (9, "Abortion", "q", 0): NO, (9, "Race", "r", 0): "unscorable: empty response"}
OTHER_END = {(9, "Abortion", "p", 0): NEUTRAL, (9, "Abortion", "q", 0): HALF, (9, "Race", "r", 0): YES}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    tables = [stances(BASE, "own", START), stances(BASE, "other", OTHER_START), stances(CHILD, "own", START | END),
              stances(CHILD, "other", OTHER_START | OTHER_END)]  # fmt: skip
    return compare(tmp_path_factory.mktemp("judges"), tables)


def rows(found, **where):
    return found[0].filter(**where).rows(named=True)


def test_agreement_is_over_the_responses_that_both_scored_each_once(found):
    """p: YES/HALF, NO/NEUTRAL; q: NO/NO, NO/HALF. The child's step 0 is the base model's."""
    got = {row["measure"]: row for row in found[0].filter(category="Abortion", run="").iter_rows(named=True) if not row["stance"]}
    assert [(name, row["n"], row["value"]) for name, row in got.items()] == [
        ("agreement", 4, 0.5), ("kappa", 4, pytest.approx(3 / 11)), ("distance", 4, (0.5 + 0.75 + 0 + 0.75) / 4),
    ]  # fmt: skip
    one, other = (
        encode(["support", "oppose", "oppose", "oppose"], STANCES),
        encode(["support", "neutral", "oppose", "support"], STANCES),
    )
    assert cohen_kappa(one, other, 3, Bootstrap()).value == pytest.approx(got["kappa"]["value"])
    cells = [(row["stance"], row["detail"], row["n"]) for row in rows(found, measure="confusion")]
    assert cells == [("support", "support", 1), ("oppose", "support", 1), ("oppose", "neutral", 1), ("oppose", "oppose", 1)]


def test_what_was_not_scored_is_counted_with_its_reason(found):
    counts = [(row["detail"], row["n"]) for row in rows(found, measure="not scored")]
    assert counts == [("other: malformed: off topic", 1), ("other: not asked", 1), ("own: unscorable: empty response", 1)]
    assert ["other", "malformed: off topic", "1"] in found[1].rows


def test_a_shift_is_the_mean_difference_of_a_prompt_on_common_responses(found):
    support = {row["step"]: row for row in rows(found, measure="value", run=CHILD, stance="support")}
    assert [(support[0][name]) for name in ("n", "own", "other", "value")] == [2, 0.5, 0.25, -0.25]
    assert [(support[9][name]) for name in ("n", "own", "other", "value")] == [2, 0.0, 0.375, 0.375]
    assert support[9]["low"] == pytest.approx(0.375 - 12.7062 * 0.125, abs=1e-3)  # t(1, .975) · s / √2
    (drifted,) = rows(found, measure="magnitude", stance="support")
    assert (drifted["run"], drifted["own"], drifted["other"], drifted["value"]) == (CHILD, -0.5, 0.125, 0.625)
    everywhere = {row["category"]: row["value"] for row in rows(found, measure="value", run="", stance="support")}
    assert everywhere == {"Abortion": (-0.5 / 2 + 0.25 / 2 + 0.5 / 2) / 2}  # p: -.5 and .25, q: 0 and .5, over its two checkpoints


def test_the_largest_shifts_come_first_and_a_childs_step_0_is_not_shown_twice(found):
    sizes = [abs(row["value"]) for row in found[0].filter(pl.col("measure").is_in(["value", "magnitude"])).iter_rows(named=True)]
    assert sizes == sorted(sizes, reverse=True)
    page = found[1]
    at = page.rows.index(["run", "step", "category", "stance", "prompts", "own", "other", "shift"])
    shown = [row[:4] for row in page.rows[at + 1 :] if len(row) == 8][:6]
    assert shown[0] == [CHILD, "9", "Abortion", "oppose"] and [CHILD, "0"] not in [row[:2] for row in shown]


def test_the_page_is_whole_and_needs_nothing_else(found):
    page = found[1]
    assert "other against own" in page.text and "Both scored 4 responses." in page.text
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    links = [value for tag, name, value in page.attributes if name == "href"]
    assert links and {link.removeprefix("#") for link in links} <= {value for _, name, value in page.attributes if name == "id"}


def test_shifts_equal_the_difference_of_the_studys_values_and_magnitudes_where_both_judges_scored_all(tmp_path):
    rng = random.Random(0)

    def drawn(judge):
        said = {(step, c, f"{c}{prompt}", sample): [rng.random() for _ in STANCES] for step in (0, 5, 9) for c in CATEGORIES
                for prompt in range(7) for sample in range(3)}  # fmt: skip
        return stances(CHILD, judge, {key: tuple(x / sum(p) for x in p) for key, p in said.items()})

    tables = [drawn("own"), drawn("other")]
    job = JOB.model_copy(update={"runs": [CHILD]})
    table, _ = compare(tmp_path, tables, job)
    for measure, column, compute in (
        ("value", "mean", lambda t: values.values(t, ValuesConfig(), 0)),
        ("magnitude", "magnitude", lambda t: magnitude_and_time.magnitudes(t, DriftJob(values=ValuesConfig(), drift=DriftConfig(), seed=0))),
    ):  # fmt: skip
        own, other = (compute(t).with_columns(pl.col("stance").cast(pl.String)) for t in tables)
        key = [name for name in ("step", "category", "stance") if name in own.columns]
        expected = own.join(other, on=key, suffix="_other").with_columns(shift=pl.col(f"{column}_other") - pl.col(column))
        got = table.filter(pl.col("measure") == measure, pl.col("run") == CHILD).join(expected, on=key)
        assert len(got) == len(own) > 0
        assert got["value"].to_list() == pytest.approx(got["shift"].to_list(), abs=1e-12)
    (tmp_path / "again").mkdir()
    again, _ = compare(tmp_path / "again", [t.sample(fraction=1, shuffle=True, seed=3) for t in tables], job, seed=5)
    assert again.equals(table)


def test_a_bootstrap_draws_prompts_so_that_more_alike_responses_narrow_no_interval(tmp_path):
    widths = []
    for samples in (1, 20):
        said = {judge: {(0, "Race", f"p{n}", s): NO if n < 5 and judge == "other" else YES for n in range(20) for s in range(samples)}
                for judge in ("own", "other")}  # fmt: skip
        (folder := tmp_path / str(samples)).mkdir()
        table, _ = compare(folder, [stances(BASE, j, p) for j, p in said.items()], JOB.model_copy(update={"runs": [BASE]}))
        row = table.filter(pl.col("measure") == "agreement", pl.col("category") == "Race").row(0, named=True)
        assert row["value"] == 0.75
        widths.append((row["low"], row["high"]))
    assert widths[0] == pytest.approx(widths[1]) and widths[0][1] - widths[0][0] > 0.3


@pytest.mark.parametrize(("other", "interval"), [(YES, "1.00 [0.34, 1.00]"), (NO, "0.00 [0.00, 0.66]")])
def test_if_all_or_none_agree_the_interval_is_wilsons_over_the_prompts(tmp_path, other, interval):
    said = {(0, "Race", prompt, sample): YES for prompt in "pq" for sample in range(50)}
    tables = [stances(BASE, "own", said), stances(BASE, "other", dict.fromkeys(said, other))]
    _, page = compare(tmp_path, tables, JOB.model_copy(update={"runs": [BASE]}))
    assert next(row for row in page.rows if row[0] == "Race")[1:4] == ["100", "2", interval]


def test_a_run_that_nobody_judged_is_left_out(found, tmp_path):
    tables = [
        stances(BASE, "own", START),
        stances(BASE, "other", OTHER_START),
        stances(CHILD, "own", {}),
        stances(CHILD, "other", {}),
    ]
    table, page = compare(tmp_path, tables)
    assert set(table["run"]) == {"", BASE} and CHILD not in page.text


def test_a_judge_that_scored_nothing_has_no_agreement_and_all_is_escaped(tmp_path):
    said = {(0, EVIL, "p", 0): YES}
    tables = [stances(BASE, "own", said), stances(BASE, EVIL, dict.fromkeys(said, f"unscorable: {EVIL}"))]
    _, page = compare(tmp_path, tables, JOB.model_copy(update={"runs": [BASE], "judges": [EVIL], "categories": [EVIL]}))
    assert "script" not in page.tags
    assert "Both scored 0 responses." in page.text
    assert [EVIL, "0", "0", "–", "–", "–"] in page.rows
