import gzip
import json

import polars as pl
import pytest

from valuedrift.errors import UserError
from valuedrift.io.records import MalformedRow, UnusableRow, parse_rows, text_field
from valuedrift.io.row_files import is_local, read_rows

ROWS = [{"text": "one"}, {"text": "zwei, mit Ümlaut\nund Zeile"}]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet", "a.jsonl.gz", "a.json.gz"])
def test_every_format_gives_the_same_rows(tmp_path, name):
    path = tmp_path / name
    match name.removesuffix(".gz").rpartition(".")[2]:
        case "json":
            raw = json.dumps(ROWS).encode()
        case "jsonl":
            raw = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        case "csv":
            raw = pl.DataFrame(ROWS).write_csv().encode()
        case _:
            pl.DataFrame(ROWS).write_parquet(path)
            raw = path.read_bytes()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert [row for _, row in read_rows(str(path))] == ROWS


def parse(row):
    text = text_field(row, "text")
    return None if text == "skip" else text


def test_malformed_rows_are_counted_by_reason_and_the_first_is_shown(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n\n{"text": ""}\n{"text": \n["list"]\n\xff\xfe\n{"other": 1}\n{"text": "skip"}\n')
    kept, tally = parse_rows(read_rows(str(path)), parse, 1.0, "a.jsonl")
    assert kept == ["good"]
    assert tally.first_malformed == "line 3: the field `text` is empty"
    assert tally.counts == {
        "read": 7, "kept": 1, "skipped": 1, "malformed: the field `text` is empty": 1, "malformed: no valid JSON": 1,
        "malformed: no JSON object": 1, "malformed: not UTF-8": 1, "malformed: no text in the field `text`": 1,
    }  # fmt: skip
    assert "a.jsonl: 5 of 7 rows are malformed; the first is line 3: the field `text` is empty" in capsys.readouterr().err


def test_too_many_malformed_rows_stop_the_stage():
    rows = [(1, {"text": "a"}), (2, MalformedRow("no valid JSON")), (3, {"text": "b"})]
    with pytest.raises(UserError, match=r"1 of 3 rows are malformed; the first is line 2: no valid JSON.*max_malformed"):
        parse_rows(iter(rows), parse, 0.3, "x")
    assert parse_rows(iter(rows), parse, 0.34, "x")[0] == ["a", "b"]


def test_a_csv_with_bytes_that_are_no_text_or_too_few_fields(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,good\n2,\xff\n3\n")
    found = [str(row) if isinstance(row, MalformedRow) else row["text"] for _, row in read_rows(str(path))]
    assert found == ["good", "not UTF-8", "wrong number of fields"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"{}", "does not hold a list"), (b'[{"a": 1}', "its list has no end"), (b"[{}]\n[{}]", "something follows")],
)
def test_a_json_file_that_is_no_list_stops(tmp_path, raw, message):
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(UserError, match=message):
        list(read_rows(str(tmp_path / "a.json")))


@pytest.mark.parametrize(
    ("name", "raw"), [("a.json.gz", gzip.compress(b"[]" * 99, mtime=0)[:-9]), ("a.parquet", b"no"), ("a.jsonl.gz", b"no")]
)
def test_a_broken_file_is_named(tmp_path, name, raw):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        list(read_rows(str(tmp_path / name)))


@pytest.mark.parametrize(("name", "raw"), [("a.jsonl", b'{"text": "x"}'), ("a.csv", b"text\nx\n"), ("a.json", b'[{"text": "x"}]')])
def test_a_byte_order_mark_is_no_text(tmp_path, name, raw):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + raw)
    assert [row for _, row in read_rows(str(tmp_path / name))] == [{"text": "x"}]


def test_nothing_usable_is_an_error():
    with pytest.raises(UserError, match="no usable rows among the 1 read"):
        parse_rows(iter([(1, {"text": "skip"})]), parse, 1.0, "x")


def test_unusable_rows_are_counted_by_reason_and_no_ceiling_stops_them(capsys):
    def parse(row):
        if len(row["text"]) > 1:
            raise UnusableRow(f"it has {len(row['text'])} letters")
        return row["text"]

    rows = [(n, {"text": text}) for n, text in enumerate(("a", "bb", "cc", "ddd"), 1)]
    kept, tally = parse_rows(iter(rows), parse, 0.0, "x")
    assert kept == ["a"]
    assert tally.counts == {"read": 4, "kept": 1, "unusable: it has 2 letters": 2, "unusable: it has 3 letters": 1}
    assert tally.first_malformed is None
    assert "x: 3 of 4 rows cannot be used: it has 2 letters (2); it has 3 letters (1)" in capsys.readouterr().err


def test_what_is_local(tmp_path):
    assert is_local("rows.jsonl.gz")
    assert is_local(str(tmp_path))
    assert not is_local("some/dataset")


@pytest.mark.parametrize("path", ["a b", "some/dataset"])
def test_a_path_that_is_neither_file_nor_folder(path):
    with pytest.raises(UserError, match="neither a file"):
        list(read_rows(path))
