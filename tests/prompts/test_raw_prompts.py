import json
import random

import pytest

from valuedrift.config.prompts import SourceConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import RAW_PROMPTS
from valuedrift.prompts import raw


def read(path, output, **config):
    raw.run(config=SourceConfig(path=str(path), **config), output=output, counts=output.with_suffix(".json"))
    return RAW_PROMPTS.read(output)


def test_text_is_stripped_and_duplicates_counted(csv_of, tmp_path):
    path = csv_of([("b", "  Should  we vote? "), ("a", "should we VOTE?"), ("c", "Why vote?")])
    frame = read(path, tmp_path / "raw.parquet")
    assert frame.rows() == [("a", "should we VOTE?"), ("c", "Why vote?")]
    counts = json.loads((tmp_path / "raw.json").read_text())
    assert counts == {"read": 3, "kept": 3, "duplicates": 1, "first_malformed": None}


def test_order_of_the_source_changes_nothing(csv_of, tmp_path):
    rows = [(f"p{n}", f"Question {n % 7}?") for n in range(20)]
    first = read(csv_of(rows), tmp_path / "first.parquet")
    random.Random(1).shuffle(rows)
    assert read(csv_of(rows), tmp_path / "second.parquet").equals(first)
    assert first.height == 7


@pytest.mark.parametrize("bad", [("a", "again the same id"), ("", "no id"), ("x", "   ")])
def test_a_bad_row_is_counted_or_stops_the_stage(csv_of, tmp_path, capsys, bad):
    path = csv_of([("a", "Why?"), bad, ("b", "How?")])
    assert read(path, tmp_path / "raw.parquet", max_malformed=0.5)["source_id"].to_list() == ["a", "b"]
    assert "1 of 3 rows are malformed" in capsys.readouterr().err
    with pytest.raises(UserError, match="1 of 3 rows are malformed"):
        read(path, tmp_path / "raw.parquet", max_malformed=0.1)


def test_numbers_become_ids_and_columns_can_be_named(tmp_path):
    path = tmp_path / "source.jsonl"
    path.write_text("\n".join(json.dumps({"n": number, "q": f"Why {number}?"}) for number in (7, 12)))
    frame = read(path, tmp_path / "raw.parquet", id="n", text="q")
    assert frame.rows() == [("12", "Why 12?"), ("7", "Why 7?")]


@pytest.mark.parametrize("value", [True, None, 1.5, ["a"]])
def test_an_invalid_id_is_malformed(tmp_path, value):
    path = tmp_path / "source.jsonl"
    path.write_text(json.dumps({"id": value, "user_prompt": "Why?"}))
    with pytest.raises(UserError, match="no id in the field `id`"):
        read(path, tmp_path / "raw.parquet")


def test_an_empty_source_is_an_error(csv_of, tmp_path):
    with pytest.raises(UserError, match="no usable rows"):
        read(csv_of([]), tmp_path / "raw.parquet")
