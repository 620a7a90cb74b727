"""Rows and files that no dataset should hold: each costs itself, with its line, and neither the dataset nor the machine's memory."""

import gzip
import json
import os
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from valuedrift.config.prompts import SourceConfig
from valuedrift.errors import UserError
from valuedrift.io.records import MalformedRow
from valuedrift.io.row_files import FREE, read_rows
from valuedrift.io.row_text import DEPTH, ROW_LIMIT
from valuedrift.io.tables import RAW_PROMPTS
from valuedrift.prompts import raw

GOOD = '{"id": "a", "text": "good"}'
HOSTILE = {
    '{"id": "b", "text": "\\ud800"}': "half of a surrogate pair",
    '{"id": "b", "\\udfff": "x"}': "half of a surrogate pair",
    '{"id": "b", "text": "a\\u0000b"}': "a NUL character",
    f'{{"id": {"7" * 5000}, "text": "b"}}': "a number of more than 4,300 digits",
    f'{{"id": "b", "text": {"[" * 2000}{"]" * 2000}}}': "nested more than 64 levels deep",
    f'{{"id": "b", "text": {"[" * DEPTH}{"]" * DEPTH}}}': "nested more than 64 levels deep",
    '{"id": "b", "text": "\udcff"}': "not UTF-8",
    '{"id": "b", "text": tru}': "no valid JSON",
    '["b"]': "no JSON object",
}


def found(path):
    """Return where each row stands, with its text or what is wrong with it."""
    return [(place, str(row) if isinstance(row, MalformedRow) else row["text"]) for place, row in read_rows(str(path))]


def write(path, text):
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(("row", "reason"), HOSTILE.items(), ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.json.gz", "folder/train.jsonl", "folder/train.json.gz"])
def test_a_hostile_row_of_json_costs_itself(tmp_path, name, row, reason):
    rows = [GOOD, row, GOOD]
    path = write(tmp_path / name, "\n".join(rows) if ".jsonl" in name else f"[{', '.join(rows)}]")
    assert found(path.parent if "folder" in name else path) == [(1, "good"), (2, reason), (3, "good")]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "folder/train.csv"])
def test_a_hostile_row_of_csv_costs_itself(tmp_path, name):
    path = write(tmp_path / name, 'id,text\na,good\nb,\udcff\nb,a\0b\nb,"x\ny",z\na,good\n')
    assert found(path.parent if "folder" in name else path) == [
        (2, "good"), (3, "not UTF-8"), (4, "a NUL character"), (6, "wrong number of fields"), (7, "good")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz", "folder/train.parquet"])
def test_a_hostile_row_of_parquet_costs_itself(tmp_path, name):
    texts = pa.array([b"good", b"\xff", b"a\0b", b"good"]).view(pa.string())  # `view` does not look at the bytes
    pyarrow.parquet.write_table(pa.table({"text": texts}), tmp_path / "rows")
    path = write(tmp_path / name, (tmp_path / "rows").read_bytes())
    assert found(path.parent if "folder" in name else path) == [(1, "good"), (2, "not UTF-8"), (3, "a NUL character"), (4, "good")]


def test_a_row_of_a_folder_names_its_file(tmp_path):
    for name in ("train-0.jsonl", "train-1.jsonl"):
        write(tmp_path / "folder" / name, f"{GOOD}\n{{\n")
    assert [place for place, text in found(tmp_path / "folder") if text != "good"] == ["2 of train-0.jsonl", "2 of train-1.jsonl"]


def test_a_folder_whose_readme_says_how_to_read_it_is_read_that_way(tmp_path):
    write(tmp_path / "folder" / "train.csv", "id;text\na;good\n")
    write(tmp_path / "folder" / "README.md", '---\nconfigs:\n- config_name: default\n  data_files: train.csv\n  sep: ";"\n---\n')
    assert found(tmp_path / "folder") == [(1, "good")]


def test_raw_prompts_are_made_from_the_rows_that_can_be_read(tmp_path):
    path = write(tmp_path / "a.jsonl", "\n".join([GOOD, *HOSTILE]))
    config = SourceConfig(path=str(path), text="text", id="id", max_malformed=0.9)
    raw.run(config=config, output=tmp_path / "raw.parquet", counts=tmp_path / "counts.json")
    assert RAW_PROMPTS.read(tmp_path / "raw.parquet").rows() == [("a", "good")]
    assert json.loads((tmp_path / "counts.json").read_text())["first_malformed"] == "line 2: half of a surrogate pair"
    with pytest.raises(UserError, match="9 of 10 rows are malformed; the first is line 2: half of a surrogate pair"):
        raw.run(config=config.model_copy(update={"max_malformed": 0.1}), output=tmp_path / "b", counts=tmp_path / "c")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_line_without_an_end_is_one_malformed_row(tmp_path, name):
    rows = ["id,text", "a,good", f'"{"x" * 2 * ROW_LIMIT}', "a,good"] if name == "a.csv" else [GOOD, "x" * 2 * ROW_LIMIT, GOOD]
    texts = [text for _, text in found(write(tmp_path / name, "\n".join(rows)))]
    assert texts == ["good", f"more than {ROW_LIMIT:,} characters", "good"]


def test_an_element_without_an_end_stops_the_file(tmp_path):
    with pytest.raises(UserError, match=r"a.json is not read: .* save the rows as .jsonl"):
        found(write(tmp_path / "a.json", f'[{GOOD}, "{"x" * 2 * ROW_LIMIT}'))


def test_texts_of_a_json_list_may_hold_what_separates_elements(tmp_path):
    texts = ["[", "}, {", '"', "\\", '\\"', "x" * 3 * 2**20, "]", "ü"]  # the long one is read in several pieces
    path = write(tmp_path / "a.json", json.dumps([{"text": text, "list": [[], {}]} for text in texts], ensure_ascii=False))
    assert [text for _, text in found(path)] == texts
    assert found(write(tmp_path / "a.json", " [ ] ")) == []


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "a.jsonl"
    match kind:
        case "a named pipe":
            os.mkfifo(path)
        case "a socket":
            socket.socket(socket.AF_UNIX).bind(str(path))
        case _:
            path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"a.jsonl is {kind}: only regular files are read"):
        found(path)


@pytest.mark.parametrize(
    ("name", "first", "row"),
    [("a.jsonl.gz", b"", b" "), ("a.csv.gz", b"", b"x\n"), ("a.json.gz", b"[", b"{},"), ("a.parquet.gz", b"", b"")],
)
def test_a_small_gzip_does_not_fill_the_memory(tmp_path, name, first, row):
    row = b" " * 10_000 + row
    (tmp_path / name).write_bytes(gzip.compress(first + row * (2 * FREE // len(row)), 1))
    with pytest.raises(UserError, match="unpacks to more than 100 times its size: if that is right, unpack it"):
        list(read_rows(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_a_file_is_read_in_less_memory_than_it_has_bytes(tmp_path, name):
    row, head = ("b,word word word\n", "id,text\n") if name == "a.csv" else ('{"text": "word word word"}', "")
    between = {"a.jsonl": "\n", "a.json": ",\n", "a.csv": ""}[name]
    count = 32 * 2**20 // 100
    row = row.replace("word word", "word " * 18)
    text = between.join([row] * count)
    path = write(tmp_path / name, f"[{text}]" if name == "a.json" else head + text)
    code = (
        "import re, sys; from valuedrift.io.row_files import read_rows; peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)',"
        " open('/proc/self/status').read())[1]); before = peak(); print(sum(1 for _ in read_rows(sys.argv[1])), peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    read, grown = map(int, done.stdout.split())
    assert read == count
    assert grown * 1024 < path.stat().st_size / 4
