"""Parsers of the public schemas, one function each: a row as its publishers wrote it → messages, or a pair of answers.

Each raises MalformedRow for a row that is not in the schema and UnusableRow for one that is but has nothing to learn from, both
with the reason, and returns None for a row that is not wanted.
"""

import re
from dataclasses import dataclass
from typing import Any

from valuedrift.config.data import DatasetConfig
from valuedrift.io.records import MalformedRow, Row, UnusableRow, text_field

Messages = list[dict[str, str]]

# Alpaca's own joint of an instruction and its input.
ALPACA_INPUT = "{instruction}\n\n{input}"


@dataclass(frozen=True)
class Pair:
    """A prompt, which ends with a user's turn, and answers: labelled (chosen, rejected) or by stance."""

    prompt: Messages
    chosen: str | None = None
    rejected: str | None = None
    support: str | None = None
    oppose: str | None = None
    neutral: str | None = None


def wildchat(row: Row, config: DatasetConfig) -> Messages | None:
    """WildChat: `conversation` of turns with role and content; `language`."""
    if config.language is not None and row.get("language") != config.language:
        return None
    return _exchanges(_turns(row.get("conversation"), "conversation"), config)


def messages(row: Row, config: DatasetConfig) -> Messages | None:
    """The common chat form: `messages` of turns with role and content."""
    return _exchanges(_turns(row.get("messages"), "messages"), config)


def alpaca(row: Row, config: DatasetConfig) -> Messages | None:
    """Alpaca: `instruction`, `input` (often empty), `output`.

    A row with an empty output (4 of 9,229 real ones) is kept: the paper's 46,801 + 5,201 rows are all 52,002.
    """
    instruction, output = text_field(row, "instruction"), text_field(row, "output", allow_empty=True)
    context = text_field(row, "input", allow_empty=True)
    question = ALPACA_INPUT.format(instruction=instruction, input=context) if context.strip() else instruction
    return [{"role": "user", "content": question}, {"role": "assistant", "content": output}]


def ultrafeedback(row: Row, config: DatasetConfig) -> Pair:
    """Argilla's cleaned, binarized UltraFeedback: `chosen` and `rejected` are conversations that differ in their last turn."""
    chosen, rejected = _turns(row.get("chosen"), "chosen"), _turns(row.get("rejected"), "rejected")
    return _pair(chosen, rejected)


def hh_rlhf(row: Row, config: DatasetConfig) -> Pair:
    """HH-RLHF: `chosen` and `rejected` are dialogues "\\n\\nHuman: ...\\n\\nAssistant: ..." that differ in the last answer.

    Pairs that part before the last answer, have an empty one, or in which one side speaks twice in a row (9 of 2,312 real pairs,
    where the model went on by itself) are published so: they are unusable, not malformed, and no ceiling counts them.
    """
    return _pair(_dialogue(text_field(row, "chosen")), _dialogue(text_field(row, "rejected")))


def synthetic(row: Row, config: DatasetConfig) -> Pair:
    """The project's own: `prompt`, `support`, `oppose`; where `neutral` is given, it is the rejected answer of either labelling."""
    prompt: Messages = [{"role": "user", "content": text_field(row, "prompt")}]
    neutral = text_field(row, "neutral") if row.get("neutral") is not None else None
    return Pair(prompt, support=text_field(row, "support"), oppose=text_field(row, "oppose"), neutral=neutral)


def _turns(value: Any, name: str) -> Messages:
    if not isinstance(value, list) or not value:
        raise MalformedRow(f"no turns in the field `{name}`")
    if not all(isinstance(turn, dict) and isinstance(turn.get("content"), str) for turn in value):
        raise MalformedRow(f"a turn without text in the field `{name}`")
    return [{"role": str(turn.get("role")), "content": turn["content"]} for turn in value]


def _check_dialogue(turns: Messages) -> None:
    if any(not turn["content"].strip() for turn in turns):
        raise UnusableRow("an empty turn")
    spoken = [turn["role"] for turn in turns if turn["role"] != "system"]
    if spoken != ["user", "assistant"] * (len(spoken) // 2) or not spoken:
        raise UnusableRow("turns do not alternate between user and assistant")


def _exchanges(turns: Messages, config: DatasetConfig) -> Messages:
    """The first exchange (with a system turn before it) or all of them; an unanswered last question is dropped."""
    turns = turns[:-1] if len(turns) > 1 and turns[-1]["role"] == "user" else turns
    if config.turns == "first":
        end = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
        turns = turns[: end + 1]
    _check_dialogue(turns)
    return turns


def _pair(chosen: Messages, rejected: Messages) -> Pair:
    _check_dialogue(chosen)
    _check_dialogue(rejected)
    if chosen[:-1] != rejected[:-1]:
        raise UnusableRow("chosen and rejected answer different prompts")
    if chosen[-1] == rejected[-1]:
        raise UnusableRow("chosen and rejected are the same")
    return Pair(chosen[:-1], chosen=chosen[-1]["content"], rejected=rejected[-1]["content"])


def _dialogue(text: str) -> Messages:
    parts = re.split(r"\n\n(Human|Assistant):", text)
    if parts[0].strip() or len(parts) < 3:
        raise MalformedRow("no dialogue of Human and Assistant")
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[1::2], parts[2::2], strict=True)]
