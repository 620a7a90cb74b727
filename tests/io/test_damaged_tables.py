"""What a table cannot hold, and files that are not as they were written."""

import math
from random import Random

import polars as pl
import pyarrow.parquet as pq
import pytest

from chaos.corrupt import empty, flip, truncate
from valuedrift.errors import UserError
from valuedrift.io.checksums import KEY
from valuedrift.io.tables import DRIFT, GENERATIONS, STANCES

THIRDS = {"support": 1 / 3, "neutral": 1 / 3, "oppose": 1 / 3, "mass": 0.9, "bound": 0.0, "flips": 0.5, "status": "ok"}
NOTHING = dict.fromkeys(("support", "neutral", "oppose", "mass"))


def stances(prompts=40, **changes):
    """STANCES of two steps and two samples of each prompt, of which the last row is changed."""
    rows = [
        {"run": "m/a", "step": step, "prompt_id": f"p{n}", "category": "C", "sample": sample, "judge": "j", **THIRDS}
        for step in (0, 7) for n in range(prompts) for sample in (0, 1)
    ]  # fmt: skip
    return STANCES.frame([*rows[:-1], rows[-1] | changes])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"support": math.nan}, "support is not from 0 to 1 in 1 of 8 rows, as in run m/a, step 7, prompt_id p1, sample 1, judge j"),
        ({"support": 1.4, "neutral": -0.4, "oppose": 0.0}, "support is not from 0 to 1.*neutral is not from 0 to 1"),
        ({"support": 0.5}, "do not sum to 1 in 1 of 8"),
        ({"step": -5}, "step is not 0 or more"),
        ({"sample": -1}, "sample is not 0 or more"),
        ({"mass": math.inf}, "mass is not from 0 to 1"),
        ({"status": "okay"}, "status is neither ok nor one of malformed, refused, unscorable with a reason"),
        ({"status": "unscorable: empty response"}, "support is not null, though status is unscorable"),
        (NOTHING, "support is null, though status is ok or refused"),
        ({"oppose": None, "status": "malformed: repeats"}, "only some of support, neutral, oppose and mass are null"),
    ],
)  # fmt: skip
def test_impossible_stances_are_neither_written_nor_read(tmp_path, changes, message):
    frame, path = stances(2, **changes), tmp_path / "s.parquet"
    with pytest.raises(UserError, match=message):
        STANCES.write(frame, path)
    frame.write_parquet(path)
    with pytest.raises(UserError, match=rf"{message}.*If it was edited or damaged, make it again with `snakemake \S+ --force"):
        STANCES.read(path)


@pytest.mark.parametrize("changes", [NOTHING | {"status": "unscorable: empty response"}, NOTHING | {"status": "malformed: of two minds"},
                                     {"status": "malformed: repeats"}, {"status": "refused: declines"}, {"oppose": 1 / 3 + 1e-9}])  # fmt: skip
def test_what_a_judge_says_passes(tmp_path, changes):
    STANCES.write(stances(2, **changes), tmp_path / "s.parquet")


def test_steps_and_times_of_drift_have_ranges():
    row = {"run": "m/a", "judge": "j", "category": "C", "stance": "support", "magnitude": 0.1, "magnitude_low": -0.4, "magnitude_high": 0.6,
           "prompts": 50, "asked": 50, "seeds": 1, "time": 0.5, "extremum": 0.4, "extremum_step": 4, "total_steps": 8}  # fmt: skip
    DRIFT.check(DRIFT.frame([row]), "here")
    wrong = {"total_steps": -5, "time": 1.5, "magnitude": 2.0, "extremum": math.nan, "extremum_step": -1}
    for name, value in wrong.items():
        with pytest.raises(UserError, match=f"{name} is not"):
            DRIFT.check(DRIFT.frame([row | {name: value}]), "here")
    with pytest.raises(UserError, match="half_low is above half_high"):
        DRIFT.check(DRIFT.frame([row | {"half": 0.5, "half_low": 0.6, "half_high": 0.5}]), "here")
    with pytest.raises(UserError, match="ninety is not null, though total_steps is 0"):
        DRIFT.check(DRIFT.frame([row | {"time": None, "ninety": 0.5, "total_steps": 0}]), "here")
    with pytest.raises(UserError, match="time is not null, though total_steps is 0"):
        DRIFT.check(DRIFT.frame([row | {"total_steps": 0}]), "here")


def test_no_flipped_bit_is_read_as_other_data(tmp_path):
    frame, path = stances(), tmp_path / "s.parquet"
    STANCES.write(frame, path)
    whole, random, detected = path.read_bytes(), Random(0), 0
    for _ in range(300):
        path.write_bytes(whole)
        flip(path, random)
        try:
            assert STANCES.read(path).equals(frame)  # the bit is in the name of the checksum
        except UserError as error:
            detected += 1
            assert "make it again with" in str(error)
    assert detected > 290


@pytest.mark.parametrize("damage", [truncate, empty])
def test_a_cut_table_is_named_with_the_command_that_makes_it_again(tmp_path, damage):
    path = tmp_path / "s.parquet"
    STANCES.write(stances(), path)
    damage(path, Random(0))
    with pytest.raises(
        UserError, match=r"s.parquet cannot be read as a stances table \(.*make it again with `snakemake \S+s.parquet --force"
    ):
        STANCES.read(path)


def test_a_sealed_table_is_the_same_to_the_byte_and_other_readers_read_it(tmp_path):
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path in paths:
        STANCES.write(stances(), path, {"note": "kept"})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert pl.from_arrow(pq.read_table(paths[0])).equals(stances())
    metadata = pl.read_parquet_metadata(paths[0])
    assert metadata["note"] == "kept" and len(set(metadata[KEY])) > 4


def test_a_table_without_a_checksum_is_read_and_its_ranges_are_checked(tmp_path):
    stances().write_parquet(tmp_path / "s.parquet")
    assert STANCES.read(tmp_path / "s.parquet").equals(stances())


def test_missing_rows_are_counted(tmp_path):
    path = tmp_path / "s.parquet"
    STANCES.write(stances().head(100), path)
    assert STANCES.read(path).height == 100
    with pytest.raises(
        UserError, match=r"lacks 60 of 160 rows, since not every run, step, prompt_id, sample, judge has one: make it again"
    ):
        STANCES.read_whole(path)


def test_a_response_that_looks_like_a_checksum_changes_nothing(tmp_path):
    row = {
        "run": "m/a",
        "step": 0,
        "prompt_id": "p",
        "sample": 0,
        "response": f"{KEY}\x18@{'f' * 64}",
        "n_tokens": 3,
        "finish_reason": "stop",
        "seed": 1,
    }
    GENERATIONS.write(GENERATIONS.frame([row]), tmp_path / "g.parquet")
    assert GENERATIONS.read(tmp_path / "g.parquet").to_dicts() == [row]
