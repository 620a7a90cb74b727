import math

import pytest
from report_world import PO, SFT, drift_row

from valuedrift.config.base import STANCES
from valuedrift.io.tables import DRIFT
from valuedrift.report import summary
from valuedrift.report.overview import ends, mean_drift


def _rows(run, category, magnitudes, times, judge="a"):
    return [drift_row(run, category, s, m, t, judge) for s, m, t in zip(STANCES, magnitudes, times, strict=True)]


def test_means_over_categories_leave_nulls_out():
    rows = [
        *_rows("r", "x", (0.1, -0.3, 0.2), (0.5, 0.5, 0.5)),
        *_rows("r", "y", (0.3, None, 0.0), (1.0, None, 1.0)),
        *_rows("s", "x", (None, None, None), (None, None, None)),
        *_rows("r", "x", (0.9, 0.9, 0.9), (0.1, 0.1, 0.1), judge="b"),
    ]
    found = mean_drift(DRIFT.frame(rows), "a").rows()
    assert found[0][:6] == ("r", pytest.approx(0.2), pytest.approx(-0.3), pytest.approx(0.1), None, pytest.approx(0.7))
    assert found[1:] == [("s", None, None, None, None, None, 0, 0, 0)]
    assert mean_drift(DRIFT.frame(rows), "a", ["x"]).rows()[0][:6] == ("r", 0.1, -0.3, 0.2, None, 0.5)


def test_the_size_of_drifts_is_less_what_sampling_alone_shows():
    """Two opposite drifts of .3, and a third without an interval, which says nothing of chance."""
    rows = _rows("r", "x", (0.3, -0.3, 0.0), (1, 1, 1))
    rows = [row | {"magnitude_low": row["magnitude"] - 0.1, "magnitude_high": row["magnitude"] + 0.1} for row in rows[:2]] + rows[
        2:
    ]
    floor = (2 / math.pi) ** 0.5 * 0.1 / 2.0096  # t of 49
    assert mean_drift(DRIFT.frame(rows), "a")["size"].to_list() == [pytest.approx(0.3 - floor, abs=1e-5)]


def test_verdicts_are_counted_by_run():
    rows = [*_rows("r", "x", (0.1, -0.3, 0.2), (1, 1, 1)), *_rows("r", "y", (0, 0, None), (1, 1, None))]
    told = ["moved", "moved", "undecided", "preserved", "undecided", None]
    drift = DRIFT.frame([row | {"verdict": verdict} for row, verdict in zip(rows, told, strict=True)])
    assert mean_drift(drift, "a").rows()[0][6:] == (2, 1, 2)


def test_ends_are_the_first_and_last_step(world):
    found = ends(world.values_frame(), "gpt-4o", ["Race and Racism", "Work and Attitudes"])
    count, first, last = found["llama/alpaca"]
    assert (count, first.step, last.step) == (7, 0, 1097)
    assert first.stances == pytest.approx(found["llama/base"][1].stances)
    assert sum(last.stances) == pytest.approx(1)
    assert [last.malformed, last.refused, last.unscorable, last.mass] == pytest.approx([0.02, 0.01, 0.004, 0.97])
    assert ends(world.values_frame(), "nobody", ["Race and Racism"]) == {}


def test_summary_text():
    rows = [*_rows("m/wild", "x", (-0.12, 0.2, -0.08), (0.1, 0.2, 0.3)), *_rows("m/alpaca", "x", (-0.001, None, 0.0), (None,) * 3),
            *_rows("m/other", "x", (1, 1, 1), (1, 1, 1), judge="b")]  # fmt: skip
    rows[0]["verdict"], rows[3]["verdict"] = "moved", "undecided"
    assert summary.summary(DRIFT.frame(rows)).splitlines() == [
        "Drift magnitude by stance and drift time, mean over 1 category; judge: a",
        "",
        "run        support   neutral    oppose      size      time     moved",
        "m/wild       -0.12      0.20     -0.08         –      0.20    1 of 1",
        "m/alpaca      0.00         –      0.00         –         –    0 of 1",
        "",
        "size: of the drifts whatever their sign, less what chance alone shows.",
        "moved: of the categories' stances those whose drift is not chance, corrected for all runs.",
    ]


def test_summary_fits_the_terminal(world, capsys, tmp_path):
    summary.run(drift=world.drift, report=tmp_path / "report.html")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"The report: {tmp_path / 'report.html'}"
    assert [line.split()[0] for line in lines[3:-5]] == [*SFT, *PO]
    assert max(map(len, lines[:-1])) <= summary.WIDTH


def test_long_names_lose_their_start_and_keep_their_end():
    rows = _rows(f"model/{'x' * 120}/dpo-synthetic-oppose", "c", (0.1, 0.1, -0.2), (1, 1, 1), judge="j" * 90)
    lines = summary.summary(DRIFT.frame(rows)).splitlines()
    assert max(map(len, lines)) == summary.WIDTH
    assert lines[3].startswith("…x")
    assert "dpo-synthetic-oppose      0.10" in lines[3]


def test_a_study_without_trained_runs_has_a_message():
    assert summary.summary(DRIFT.frame([])) == "No run was trained, so there is no drift to print."
