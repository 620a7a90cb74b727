"""The loaders on folders in the layouts and schemas of the public repositories."""

import json

import pytest

from data.public import write_public_dataset
from valuedrift.config.data import DatasetJob
from valuedrift.config.prompts import SourceConfig
from valuedrift.data import preferences, sft
from valuedrift.errors import UserError
from valuedrift.io.row_files import read_rows
from valuedrift.io.tables import PREFERENCE_SET, RAW_PROMPTS, SFT_SET
from valuedrift.prompts import raw

ROWS = 40


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """Keep the tests from asking the hub, and check that reading leaves only locks in the cache."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    yield
    assert [path.suffix for path in (tmp_path / "cache").rglob("*") if path.suffix != ".lock"] == []


@pytest.fixture
def prepared(tmp_path):
    """Return a function that writes a public dataset, prepares it and returns the table and the counts."""

    def prepared(name, rows=ROWS, **values):
        write_public_dataset(name, tmp_path / name, rows)
        job = DatasetJob.model_validate({"format": name, "path": str(tmp_path / name), "seed": 0, **values})
        step, table = (preferences, PREFERENCE_SET) if job.is_preference else (sft, SFT_SET)
        step.run(config=job, output=tmp_path / "out.parquet", counts=tmp_path / "counts.json")
        return table.read(tmp_path / "out.parquet"), json.loads((tmp_path / "counts.json").read_text())

    return prepared


def test_wildchat_is_the_english_conversations_of_all_six_files(prepared):
    table, counts = prepared("wildchat", language="English")
    assert counts == {
        "read": 40, "kept": 30, "skipped": 10, "drawn": 30, "train": 27, "validation": 3, "first_malformed": None,
    }  # fmt: skip
    assert {len(turns) for turns in table["messages"]} == {2}


def test_wildchat_with_all_turns(prepared):
    table, _ = prepared("wildchat", language="English", turns="all")
    assert sorted(len(turns) for turns in table["messages"]) == [2] * 20 + [4] * 10


def test_alpaca(prepared):
    table, counts = prepared("alpaca")
    assert (counts["read"], counts["train"], counts["validation"]) == (40, 36, 4)
    assert all(question["role"] == "user" and answer["content"] for question, answer in table["messages"].to_list())


def test_ultrafeedback_reads_all_and_draws(prepared):
    table, counts = prepared("ultrafeedback", limit=30)
    assert (counts["read"], counts["kept"], counts["drawn"], table.height) == (40, 40, 30, 30)
    assert table["chosen"].null_count() == 0


def test_hh_rlhf_is_the_train_files_of_four_folders(prepared):
    table, counts = prepared("hh_rlhf")
    assert counts["read"] == counts["kept"] == 40
    assert "t" not in [prompt[-1]["content"] for prompt in table["prompt"]]


def test_hh_rlhf_has_a_test_split_too(prepared):
    assert prepared("hh_rlhf", split="test")[1]["read"] == 4


def test_a_folder_below_one_called_train_is_read_by_its_own_names(tmp_path):
    write_public_dataset("hh_rlhf", tmp_path / "train" / "test-1" / "hh", ROWS)
    assert len(list(read_rows(str(tmp_path / "train" / "test-1" / "hh")))) == ROWS


def test_prism_conversations_are_read_next_to_its_other_tables(tmp_path):
    write_public_dataset("prism", tmp_path / "prism", ROWS)
    path = str(tmp_path / "prism")
    rows = [row for _, row in read_rows(path, subset="conversations")]
    assert [row["conversation_id"] for row in rows] == [f"c{n}" for n in range(ROWS)]
    config = SourceConfig(path=path, subset="conversations", text="opening_prompt", id="conversation_id")
    raw.run(config=config, output=tmp_path / "raw.parquet", counts=tmp_path / "counts.json")
    prompts = RAW_PROMPTS.read(tmp_path / "raw.parquet")
    assert set(prompts["source_text"]) == {row["opening_prompt"] for row in rows}


@pytest.mark.parametrize(
    ("name", "split", "subset", "message"),
    [
        ("prism", "train", None, r"\(`split` train, `subset` None\) cannot be read: .*conversations"),
        ("prism", "train", "x", "BuilderConfig 'x' not found"),
        ("alpaca", "validation", None, r"(?i)bad split"),
    ],
)
def test_a_missing_split_or_subset_is_an_error(tmp_path, name, split, subset, message):
    write_public_dataset(name, tmp_path / name, ROWS)
    with pytest.raises(UserError, match=message):
        list(read_rows(str(tmp_path / name), split, subset))


@pytest.mark.parametrize("files", [{}, {"README.md": "---\nlicense: mit\n---\n"}, {"rows.py": "x"}, {"train.parquet": "no"}])
def test_a_folder_without_a_dataset_is_an_error(tmp_path, files):
    (tmp_path / "broken").mkdir()
    for name, text in files.items():
        (tmp_path / "broken" / name).write_text(text)
    with pytest.raises(UserError, match=r"broken.* cannot be read"):
        list(read_rows(str(tmp_path / "broken")))
