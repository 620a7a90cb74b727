"""Generates the config's reference page and JSON schema from the models, so that the three always agree."""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo

from valuedrift.config.study import StudyConfig

ROOT = Path(__file__).parents[4]
PAGE, SCHEMA = ROOT / "config" / "README.md", ROOT / "workflow" / "schemas" / "study.schema.json"

INTRODUCTION = Path(__file__).with_name("introduction.md")


def reference_page() -> str:
    """Return the Markdown of config/README.md: a section for each model, in the order in which the study's config reaches them."""
    sections = [INTRODUCTION.read_text()]
    for path, model in _sections(StudyConfig, ""):
        heading = f"`{path}`" if path else "The study"
        if "kind" in model.model_fields:  # a member of a union, whose members all have the same path
            heading += f" with `kind: {get_args(model.model_fields['kind'].annotation)[0]}`"
        rows = [_row(name, field) for name, field in model.model_fields.items()]
        sections.append(
            "\n".join([f"## {heading}\n", "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]) + "\n"
        )
    return "\n".join(sections)


def schema() -> str:
    """Return the JSON schema as text."""
    return json.dumps(StudyConfig.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for found, suffix in _models_in(field.annotation):
            yield from _sections(found, f"{path}.{name}{suffix}".lstrip("."))


def _models_in(kind: Any) -> list[tuple[type[BaseModel], str]]:
    """Return the models in an annotation, each with its path suffix: "" for a block, `.<name>` for a mapping, `[]` for a list."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [(kind, "")]
    if get_origin(kind) is Annotated:
        return _models_in(get_args(kind)[0])
    if get_origin(kind) in (dict, list):
        entry = ".<name>" if get_origin(kind) is dict else "[]"
        return [(model, entry + suffix) for model, suffix in _models_in(get_args(kind)[-1])]
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()
    return [found for k in kinds for found in _models_in(k)]


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
    meaning = " ".join((field.description or "").split())
    return f"| `{name}` | {_kind(field.annotation)} | {default} | {meaning} |".replace("| |", "|  |")


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    text = json.dumps(value, ensure_ascii=False, default=BaseModel.model_dump)
    return f"`{text}`" if len(text) <= 60 else "see the schema"


def _kind(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        listed = [one.json_schema["enum"] for one in get_args(kind) if isinstance(one, WithJsonSchema) and one.json_schema]
        return " or ".join(listed[0]) if listed else _kind(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys("none" if k is type(None) else _kind(k) for k in get_args(kind)))
    if get_origin(kind) is list:
        return f"list of {_kind(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"mapping to {_kind(get_args(kind)[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "block"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(kind, "any")


def write() -> None:
    """Write `PAGE` and `SCHEMA`."""
    PAGE.write_text(reference_page())
    SCHEMA.write_text(schema())
