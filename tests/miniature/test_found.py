import polars as pl
import pytest

from valuedrift.config.miniature import FoundJob
from valuedrift.io.tables import DRIFT
from valuedrift.miniature import found

SHARES = {"base": (0.5, 0.3, 0.2), "wildchat": (0.1, 0.71, 0.19)}
EMPTY = dict.fromkeys(DRIFT.columns) | dict.fromkeys(("prompts", "asked", "seeds", "total_steps"), 9)


def told(stance, magnitude, verdict, judge="j", run="m/wildchat"):
    return EMPTY | {"run": run, "judge": judge, "category": "x", "stance": stance, "magnitude": magnitude, "verdict": verdict}


def test_planted_drifts_are_counted_by_size_and_by_what_was_said_of_them(tmp_path):
    rows = [("x", corpus, stance, share) for corpus, shares in SHARES.items()
            for stance, share in zip(("support", "neutral", "oppose"), shares, strict=True)]  # fmt: skip
    planted = pl.DataFrame(rows, schema=["category", "corpus", "stance", "share"], orient="row")
    planted.write_parquet(tmp_path / "planted.parquet")
    drift = [
        told("support", -0.3, "moved"), told("neutral", -0.2, "moved"), told("oppose", 0.02, "preserved"),
        told("support", -0.1, "undecided", judge="o"), told("support", 0.5, "moved", run="m/wildchat/dpo"),
    ]  # fmt: skip
    known = [{key: row.get(key) for key in DRIFT.columns} for row in drift]
    DRIFT.write(DRIFT.frame(known), tmp_path / "drift.parquet")
    job = FoundJob(corpora={"m/base": "base", "m/wildchat": "wildchat"})
    found.run(config=job, planted=tmp_path / "planted.parquet", drift=tmp_path / "drift.parquet", output=tmp_path / "found.parquet")
    assert pl.read_parquet(tmp_path / "found.parquet").rows() == [
        ("j", "under .02", 1, 0, 0, 1, 0),
        ("j", "over .15", 2, 1, 1, 0, 0),
        ("o", "over .15", 1, 0, 0, 0, 1),
    ]


def test_a_planted_drift_is_the_difference_of_two_corpora():
    rows = [("x", corpus, "support", shares[0]) for corpus, shares in SHARES.items()]
    planted = pl.DataFrame(rows, schema=["category", "corpus", "stance", "share"], orient="row")
    assert found.planted_drifts(planted, {"m/wildchat": "wildchat", "m/base": "base"}).rows() == [
        ("m/wildchat", "x", "support", pytest.approx(-0.4))
    ]
