import polars as pl

from valuedrift.io.step_0 import as_step_0


def test_step_0_of_a_run_is_the_last_step_of_its_parent():
    parent = pl.DataFrame({"run": ["m/sft"] * 3, "step": [0, 40, 94], "response": ["first", "middle", "last"]})
    copied = as_step_0(parent, "m/sft/dpo")
    assert copied.rows() == [("m/sft/dpo", 0, "last")] and copied.schema["step"] == pl.Int64
