"""The config's reference page and JSON schema, both written from the models, so that the three cannot part."""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from valuedrift.config.study import StudyConfig

ROOT = Path(__file__).parents[4]
PAGE, SCHEMA = ROOT / "config" / "README.md", ROOT / "workflow" / "schemas" / "study.schema.json"

INTRODUCTION = """# The config, key by key

Written from the models in `workflow/src/valuedrift/config/` by `make docs`; do not edit it by hand. A config is closed: a key that
is not listed here is an error that names the nearest one. `workflow/schemas/study.schema.json` is the same for editors: put
`# yaml-language-server: $schema=../workflow/schemas/study.schema.json` at the top of a config.

A key with no default must be given. A later `--configfile` is merged over an earlier one, so a variant of a study is a short file:

```yaml
# config/cooler.yaml: snakemake --cores 2 --configfile config/miniature.yaml config/cooler.yaml
study: cooler
generation: {temperature: 0.7}
```

The runs are products of lists. A block of your own, trained with another beta beside the runs that are there:

```yaml
runs:
  - {parent: mini/alpaca, algorithm: dpo, data: synthetic, chosen: [support, oppose], set: {beta: 0.5}, label: beta0.5}
```

A judge of your own is a model (`path`) or a Python function (`function: my_module:my_judge`) from question, response and topic to
three probabilities; the first judge under `judges:` is the one that tables and figures show.
"""


def reference_page() -> str:
    """The Markdown of config/README.md: a section for each model, in the order in which the study's config reaches them."""
    sections = [INTRODUCTION]
    for path, model in _sections(StudyConfig, ""):
        heading = f"`{path}`" if path else "The study"
        rows = [_row(name, field) for name, field in model.model_fields.items()]
        sections.append(
            "\n".join([f"## {heading}\n", "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]) + "\n"
        )
    return "\n".join(sections)


def schema() -> str:
    """The JSON schema as text."""
    return json.dumps(StudyConfig.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        found, suffix = _model_in(field.annotation)
        if found is not None:
            yield from _sections(found, f"{path}.{name}{suffix}".lstrip("."))


def _model_in(kind: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside an annotation, and how a path enters it: "" for a block, `.<name>` for a mapping, `[]` for a list."""
    if get_origin(kind) is Annotated:
        return _model_in(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    if get_origin(kind) in (dict, list):
        inner, suffix = _model_in(get_args(kind)[-1])
        return inner, (".<name>" if get_origin(kind) is dict else "[]") + suffix
    found = [_model_in(k) for k in get_args(kind)] if get_origin(kind) in (Union, types.UnionType) else []
    return next((f for f in found if f[0] is not None), (None, ""))


def _row(name: str, field: FieldInfo) -> str:
    default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
    meaning = " ".join((field.description or "").split())
    return f"| `{name}` | {_kind(field.annotation)} | {default} | {meaning} |".replace("| |", "|  |")


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "see the schema"


def _kind(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join("none" if k is type(None) else _kind(k) for k in get_args(kind))
    if get_origin(kind) is list:
        return f"list of {_kind(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"mapping to {_kind(get_args(kind)[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "block"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(kind, "any")


def write() -> None:
    """Write both files."""
    PAGE.write_text(reference_page())
    SCHEMA.write_text(schema())
