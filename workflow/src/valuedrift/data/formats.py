"""Parsers of the public schemas, one function each: a published row → messages, or a pair of answers.

Each raises MalformedRow, with the reason, for a row that does not follow the schema and UnusableRow for one that does but cannot be
trained on, and returns None for a row that the config does not ask for.
"""

import re
from dataclasses import dataclass
from typing import Any

from valuedrift.config.data import DatasetConfig
from valuedrift.io.records import MalformedRow, Row, UnusableRow, text_field

Messages = list[dict[str, str]]

# How Alpaca joins an instruction and its input.
ALPACA_INPUT = "{instruction}\n\n{input}"


@dataclass(frozen=True)
class Pair:
    """A prompt, which ends with a user turn, and its answers: labelled chosen and rejected, or by stance."""

    prompt: Messages
    chosen: str | None = None
    rejected: str | None = None
    support: str | None = None
    oppose: str | None = None
    neutral: str | None = None


def wildchat(row: Row, config: DatasetConfig) -> Messages | None:
    """Parse a row of WildChat: `conversation` of turns with role and content, and `language`."""
    if config.language is not None and row.get("language") != config.language:
        return None
    return _exchanges(_turns(row.get("conversation"), "conversation"), config)


def messages(row: Row, config: DatasetConfig) -> Messages | None:
    """Parse a row of the common chat schema: `messages` of turns with role and content."""
    return _exchanges(_turns(row.get("messages"), "messages"), config)


def alpaca(row: Row, config: DatasetConfig) -> Messages | None:
    """Parse a row of Alpaca: `instruction`, `input` (often empty), `output`.

    A row with an empty output (4 of 9,229 real ones) is kept: the paper's 46,801 + 5,201 rows are all 52,002.
    """
    instruction, output = text_field(row, "instruction"), text_field(row, "output", allow_empty=True)
    context = text_field(row, "input", allow_empty=True)
    question = ALPACA_INPUT.format(instruction=instruction, input=context) if context.strip() else instruction
    return [{"role": "user", "content": question}, {"role": "assistant", "content": output}]


def ultrafeedback(row: Row, config: DatasetConfig) -> Pair:
    """Parse a row of Argilla's cleaned, binarized UltraFeedback: `chosen` and `rejected` are conversations.

    They differ in their last turn.
    """
    chosen, rejected = _turns(row.get("chosen"), "chosen"), _turns(row.get("rejected"), "rejected")
    return _pair(chosen, rejected)


def hh_rlhf(row: Row, config: DatasetConfig) -> Pair:
    """Parse a row of HH-RLHF: `chosen` and `rejected` are dialogues "\\n\\nHuman: ...\\n\\nAssistant: ...".

    They differ in the last answer.

    Pairs that differ before the last answer, have an empty one, or in which one side speaks twice in a row (9 of 2,312 real pairs,
    where the model continued by itself) are published this way: they are unusable, not malformed, and do not count towards
    `max_malformed`.
    """
    return _pair(_dialogue(text_field(row, "chosen")), _dialogue(text_field(row, "rejected")))


def synthetic(row: Row, config: DatasetConfig) -> Pair:
    """Parse a row of this project's schema: `prompt`, `support`, `oppose`; `neutral`, if given, is always the rejected answer."""
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
    """Return the first exchange (with a preceding system turn) or all of them; an unanswered last question is dropped."""
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
