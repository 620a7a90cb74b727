"""Small copies of the public datasets' repositories: their file names, README headers, columns and types, with texts of the miniature.

`write_public_dataset` writes the folder that a download of the real repository would give, with `rows` rows in the split `train`.
It also contains the rest of a repository (test splits, other subsets), which must not be read with `train`.
"""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from valuedrift.config.miniature import MiniatureConfig
from valuedrift.miniature import dataset as miniature

Row = dict[str, Any]
MODERATION = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "self-harm", "self-harm/instructions", "self-harm/intent",
    "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
DETOXIFY = ("identity_attack", "insult", "obscene", "severe_toxicity", "sexual_explicit", "threat", "toxicity")
TURN = [("content", pa.string()), ("role", pa.string())]
# Of every four conversations of WildChat, in this order.
LANGUAGES, EXCHANGES = ("English", "English", "Chinese", "English"), (1, 2, 1, 1)


def write_public_dataset(name: str, folder: Path, rows: int, seed: int = 0) -> None:
    """Write wildchat, alpaca, ultrafeedback, hh_rlhf or prism into `folder`."""
    PUBLIC[name](folder, MiniatureConfig(folder="none", seed=seed, sft_rows=rows, preference_rows=rows), rows)


def _wildchat(folder: Path, config: MiniatureConfig, rows: int) -> None:
    rng = Random(config.seed)
    flags, scores = [(c, pa.bool_()) for c in MODERATION], [(c, pa.float64()) for c in MODERATION]
    schema = pa.schema([
        ("conversation_id", pa.string()),
        ("model", pa.string()),
        ("timestamp", pa.timestamp("s", "UTC")),
        ("conversation", pa.list_(pa.struct(
            [("content", pa.string()), ("language", pa.string()), ("redacted", pa.bool_()), ("role", pa.string()),
             ("toxic", pa.bool_())]
        ))),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", pa.list_(pa.struct(
            [("categories", pa.struct(flags)), ("category_scores", pa.struct(scores)), ("flagged", pa.bool_())]
        ))),
        ("detoxify_moderation", pa.list_(pa.struct([(c, pa.float64()) for c in DETOXIFY]))),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
    ])  # fmt: skip
    said = iter(miniature.DATASETS["wildchat"](config.model_copy(update={"sft_rows": 2 * rows})))
    table = []
    for number, language, exchanges in zip(range(rows), cycle(LANGUAGES), cycle(EXCHANGES), strict=False):
        turns = [turn for _ in range(exchanges) for turn in next(said)["conversation"]]
        flags_of_turn = {"language": language, "redacted": False, "toxic": False}
        moderation = {"categories": dict.fromkeys(MODERATION, False), "category_scores": dict.fromkeys(MODERATION, 0.01)}
        table.append({
            "conversation_id": f"{rng.getrandbits(128):032x}", "model": rng.choice(["gpt-3.5-turbo", "gpt-4"]),
            "timestamp": datetime(2023, 4, 9, tzinfo=UTC) + timedelta(minutes=number),
            "conversation": [turn | flags_of_turn for turn in turns], "turn": exchanges, "language": language,
            "openai_moderation": [{**moderation, "flagged": False} for _ in turns],
            "detoxify_moderation": [dict.fromkeys(DETOXIFY, 0.001) for _ in turns], "toxic": False, "redacted": False,
        })  # fmt: skip
    _parquet(folder, table, schema, [f"train-{shard:05d}-of-00006.parquet" for shard in range(6)])
    _readme(folder, "license: odc-by", "size_categories:", "  - 100K<n<1M", "pretty_name: WildChat", *_TRAIN_IN_DATA)


def _alpaca(folder: Path, config: MiniatureConfig, rows: int) -> None:
    text = "Below is an instruction that describes a task.\n\n### Instruction:\n{instruction}\n\n### Response:\n{output}"
    table = [row | {"text": text.format(**row)} for row in miniature.DATASETS["alpaca"](config)]
    schema = pa.schema([(column, pa.string()) for column in ("instruction", "input", "output", "text")])
    _parquet(folder, table, schema, ["train-00000-of-00001-a09b74b3ef9c3b56.parquet"])
    features = [line for column in schema.names for line in (f"  - name: {column}", "    dtype: string")]
    _readme(folder, "license: cc-by-nc-4.0", "pretty_name: Alpaca", "dataset_info:", "  features:", *features)


def _ultrafeedback(folder: Path, config: MiniatureConfig, rows: int) -> None:
    turns = pa.list_(pa.struct(TURN))
    schema = pa.schema([
        ("source", pa.string()), ("prompt", pa.string()), ("chosen", turns), ("chosen-rating", pa.float64()),
        ("chosen-model", pa.string()), ("rejected", turns), ("rejected-rating", pa.float64()), ("rejected-model", pa.string()),
    ])  # fmt: skip
    models = {"source": "sharegpt", "chosen-model": "gpt-4", "rejected-model": "alpaca-7b"}
    table = [row | models for row in miniature.DATASETS["ultrafeedback"](config)]
    _parquet(folder, table, schema, ["train-00000-of-00001.parquet"])
    _readme(folder, "license: mit", "pretty_name: UltraFeedback Binarized Preferences Cleaned", *_TRAIN_IN_DATA)


def _hh_rlhf(folder: Path, config: MiniatureConfig, rows: int) -> None:
    def dialogue(turns: list[dict[str, str]]) -> str:
        return "".join(f"\n\n{'Human' if turn['role'] == 'user' else 'Assistant'}: {turn['content']}" for turn in turns)

    pairs = [{key: dialogue(row[key]) for key in ("chosen", "rejected")} for row in miniature.DATASETS["ultrafeedback"](config)]
    parts = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")
    for number, part in enumerate(parts):
        _lines(folder / part / "train.jsonl.gz", pairs[number :: len(parts)])
        _lines(
            folder / part / "test.jsonl.gz",
            [{"chosen": "\n\nHuman: t\n\nAssistant: c", "rejected": "\n\nHuman: t\n\nAssistant: r"}],
        )
    attempt = {"min_harmlessness_score_transcript": -1.5, "transcript": pairs[0]["chosen"], "tags": None, "rating": 4.0}
    _lines(folder / "red-team-attempts" / "red_team_attempts.jsonl.gz", [attempt])
    _readme(folder, "license: mit", "tags:", "- human-feedback")


def _prism(folder: Path, config: MiniatureConfig, rows: int) -> None:
    conversations: list[Row] = []
    for number, (question, answer) in enumerate(miniature.dialogues("wildchat", rows, config)):
        history: list[Row] = [{"turn": 0, "role": "user", "content": question}]
        history += [
            {"turn": 0, "role": "model", "content": answer.text, "model_name": name, "model_provider": "double", "score": score,
             "if_chosen": score > 50, "within_turn_id": n}
            for n, (name, score) in enumerate((("a", 81), ("b", 12)))
        ]  # fmt: skip
        conversations.append({
            "conversation_id": f"c{number}", "user_id": f"user{number // 6}", "included_in_balanced_subset": number % 2 == 0,
            "conversation_type": ("unguided", "values guided", "controversy guided")[number % 3], "opening_prompt": question,
            "conversation_turns": 1, "conversation_history": history, "performance_attributes": {"values": 70, "fluency": None},
            "choice_attributes": {"values": 60, "fluency": 90}, "open_feedback": "none",
            "generated_datetime": "2023-12-01 11:22:33", "timing_duration_s": 120.5, "timing_duration_mins": 2.01,
        })  # fmt: skip
    _lines(folder / "conversations.jsonl", conversations)
    _lines(folder / "survey.jsonl", [{"user_id": "user0", "lm_familiarity": "Somewhat familiar", "age": "25-34 years old"}])
    _lines(folder / "utterances.jsonl", [{"utterance_id": "ut0", "conversation_id": "c0", "user_prompt": "u", "score": 81}])
    _lines(folder / "metadata.jsonl", [{"column_id": "user_prompt", "pii_flag": False}, {"column_id": "score", "pii_flag": None}])
    subsets = ("survey", "conversations", "utterances", "metadata")
    configs = [line for name in subsets for line in (f"- config_name: {name}", f'  data_files: "{name}.jsonl"')]
    _readme(folder, "license: cc", "pretty_name: The PRISM Alignment Dataset", "configs:", *configs)


PUBLIC: dict[str, Callable[[Path, MiniatureConfig, int], None]] = {
    "wildchat": _wildchat,
    "alpaca": _alpaca,
    "ultrafeedback": _ultrafeedback,
    "hh_rlhf": _hh_rlhf,
    "prism": _prism,
}
_TRAIN_IN_DATA = ("configs:", "- config_name: default", "  data_files:", "  - split: train", "    path: data/train-*")


def _parquet(folder: Path, table: list[Row], schema: pa.Schema, names: list[str]) -> None:
    (folder / "data").mkdir(parents=True)
    for number, name in enumerate(names):
        pq.write_table(pa.Table.from_pylist(table[number :: len(names)], schema), folder / "data" / name)


def _lines(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)


def _readme(folder: Path, *header: str) -> None:
    (folder / "README.md").write_text("\n".join(["---", *header, "---", "", "# Dataset card", ""]))
    (folder / ".gitattributes").write_text("*.parquet filter=lfs diff=lfs merge=lfs -text\n")
