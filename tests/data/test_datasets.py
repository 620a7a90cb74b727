import json

import polars as pl
import pytest

from valuedrift.config.data import DatasetJob
from valuedrift.data import formats, preferences, sft
from valuedrift.data.prepare import splits
from valuedrift.errors import UserError
from valuedrift.io.records import MalformedRow, UnusableRow
from valuedrift.io.tables import PREFERENCE_SET, SFT_SET

U, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def job(**values):
    return DatasetJob.model_validate({"format": "alpaca", "path": "x.jsonl", "seed": 0, **values})


def test_alpaca_joins_instruction_and_input():
    assert formats.alpaca({"instruction": "i", "input": "", "output": "o"}, job())[0]["content"] == "i"
    assert formats.alpaca({"instruction": "i", "input": "x", "output": "o"}, job())[0]["content"] == "i\n\nx"


def test_alpaca_keeps_an_empty_output_as_the_paper_does():
    assert formats.alpaca({"instruction": "i", "input": "", "output": ""}, job())[1] == {"role": "assistant", "content": ""}


def test_wildchat_keeps_the_configured_language_and_turns():
    row = {"language": "English", "conversation": [U, A, {**U, "content": "q2"}, {**A, "content": "a2"}, U]}
    assert formats.wildchat(row, job(language="German")) is None
    assert formats.wildchat(row, job(language="English")) == [U, A]
    assert formats.wildchat(row, job(turns="all")) == [U, A, {**U, "content": "q2"}, {**A, "content": "a2"}]


def test_an_empty_turn_matters_only_if_it_is_kept():
    row = {"conversation": [U, A, U, {**A, "content": " "}]}
    assert formats.wildchat(row, job()) == [U, A]
    with pytest.raises(UnusableRow, match="an empty turn"):
        formats.wildchat(row, job(turns="all"))


def test_a_system_turn_is_kept():
    system = {"role": "system", "content": "s"}
    assert formats.messages({"messages": [system, U, A]}, job()) == [system, U, A]


def test_ultrafeedback_pairs_differ_in_the_last_turn():
    other = {**A, "content": "b"}
    pair = formats.ultrafeedback({"chosen": [U, A], "rejected": [U, other]}, job())
    assert (pair.prompt, pair.chosen, pair.rejected) == ([U], "a", "b")


def test_hh_rlhf_dialogues_become_prompts_with_two_answers():
    start = "\n\nHuman: one\n\nAssistant: two\n\nHuman: three\n\nAssistant: "
    pair = formats.hh_rlhf({"chosen": start + "yes", "rejected": start + "no"}, job())
    assert [turn["role"] for turn in pair.prompt] == ["user", "assistant", "user"]
    assert (pair.prompt[-1]["content"], pair.chosen, pair.rejected) == ("three", "yes", "no")


@pytest.mark.parametrize(
    ("parse", "row", "reason"),
    [
        (formats.alpaca, {"instruction": "i", "input": ""}, "no text in the field `output`"),
        (formats.alpaca, {"instruction": " ", "input": "", "output": "o"}, "the field `instruction` is empty"),
        (formats.wildchat, {"conversation": []}, "no turns in the field `conversation`"),
        (formats.messages, {"messages": [{"role": "user"}]}, "a turn without text"),
        (formats.hh_rlhf, {"chosen": "hello", "rejected": "hello"}, "no dialogue"),
        (formats.synthetic, {"prompt": "p", "support": "s"}, "no text in the field `oppose`"),
    ],
)
def test_malformed_rows_have_a_reason(parse, row, reason):
    with pytest.raises(MalformedRow, match=reason):
        parse(row, job())


HUMAN = "\n\nHuman: a\n\nAssistant: "


@pytest.mark.parametrize(
    ("parse", "row", "reason"),
    [
        (formats.wildchat, {"conversation": [A, U]}, "turns do not alternate"),
        (formats.wildchat, {"conversation": [U]}, "turns do not alternate"),
        (formats.messages, {"messages": [U, {**A, "content": " "}]}, "an empty turn"),
        (formats.ultrafeedback, {"chosen": [U, A], "rejected": [U, A]}, "are the same"),
        (formats.ultrafeedback, {"chosen": [U, A], "rejected": [{**U, "content": "z"}, A]}, "different prompts"),
        (formats.hh_rlhf, {"chosen": HUMAN, "rejected": HUMAN + "b"}, "an empty turn"),
        (formats.hh_rlhf, {"chosen": HUMAN + "b", "rejected": HUMAN + "b" + HUMAN + "c"}, "different prompts"),
        (formats.hh_rlhf, {"chosen": HUMAN + "b\n\nAssistant: c", "rejected": HUMAN + "b"}, "turns do not alternate"),
    ],
)
def test_unusable_rows_have_a_reason(parse, row, reason):
    with pytest.raises(UnusableRow, match=reason):
        parse(row, job())


def test_an_sft_set_is_split_drawn_and_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"instruction": f"i{n}", "input": "", "output": "o"} for n in range(50)] + [{"instruction": "x", "input": ""}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = job(path=str(path), limit=20, max_malformed=0.1)
    for name in ("one", "two"):
        sft.run(config=config, output=tmp_path / f"{name}.parquet", counts=tmp_path / f"{name}.json")
    table = SFT_SET.read(tmp_path / "one.parquet")
    assert table["split"].to_list() == ["train"] * 18 + ["validation"] * 2
    assert table["messages"][0].to_list()[0]["content"] != "i0"  # shuffled
    assert table.equals(SFT_SET.read(tmp_path / "two.parquet"))
    assert json.loads((tmp_path / "one.json").read_text()) == {
        "read": 51, "kept": 50, "drawn": 20, "malformed: no text in the field `output`": 1, "train": 18, "validation": 2,
        "first_malformed": "line 51: no text in the field `output`",
    }  # fmt: skip


def test_both_labellings_come_from_one_synthetic_set(tmp_path):
    pytest.importorskip("datasets")
    from valuedrift.train.pairs import load_pairs

    path = tmp_path / "s.jsonl"
    rows = [{"prompt": f"p{n}", "support": "yes", "oppose": "no", "neutral": "hm" if n % 2 else None} for n in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    preferences.run(
        config=job(format="synthetic", path=str(path), validation=0), output=tmp_path / "s.parquet", counts=tmp_path / "s.json"
    )
    assert PREFERENCE_SET.read(tmp_path / "s.parquet")["chosen"].is_null().all()
    for chosen, opposite in (("support", "no"), ("oppose", "yes")):
        pairs = load_pairs(tmp_path / "s.parquet", chosen)
        assert set(pairs["chosen"]) == {"yes" if chosen == "support" else "no"}
        assert sorted(pairs["rejected"]) == sorted(["hm"] * 5 + [opposite] * 5)


def test_a_bad_file_stops_with_the_first_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"instruction": "i", "input": "", "output": "o"}\nnot json\n')
    with pytest.raises(UserError, match=r"1 of 2 rows are malformed; the first is line 2: no valid JSON"):
        sft.run(config=job(path=str(path)), output=tmp_path / "o.parquet", counts=tmp_path / "o.json")
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize(
    ("rows", "share", "held_out"), [(52002, 0.1, 5201), (284168, 0.1, 28417), (10, 0.1, 1), (1, 0.9, 0), (3, 1.0, 2), (7, 0.0, 0)]
)
def test_splits_never_hold_out_everything(rows, share, held_out):
    assert splits(rows, share).count("validation") == held_out


def test_an_empty_table_has_its_types():
    assert SFT_SET.frame([]).schema == pl.Schema(SFT_SET.columns)
