"""Turns a validation error of the config into one line that names the key, the mistake, and what to write instead."""

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

SHOWN = 100
"""Characters of a value that a message shows; a text may have any number."""
RENAMED = {"canary": "fingerprint"}
"""Former name of a key → its name now, for configs of older versions."""


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Return one line on the first error of validating `model`: the key (with `prefix`), and what is wrong with it.

    An unknown key comes with its new name, the most similar valid key, or all valid keys.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in _explained(error, model, prefix))  # of keys with line breaks


def _explained(error: ValidationError, model: type[BaseModel], prefix: str) -> str:
    # Unknown keys first: a misspelt key is often the reason why another one is missing.
    # Of a list that fits neither a name nor a list of names, the list's own error says which name is wrong.
    first = min(
        error.errors(),
        key=lambda e: (e["type"] != "extra_forbidden", e["type"] == "string_type" and isinstance(e["input"], list)),
    )
    location = [str(part) for part in first["loc"] if part != "constrained-str" and not (isinstance(part, str) and "[" in part)]
    if first["type"] == "extra_forbidden":
        *parents, last = location
        keys, block = _follow(model, parents)
        key, fields = prefix + ".".join([*keys, last]), _fields(block)
        if RENAMED.get(last) in fields:
            return f"config: unknown key `{key}`; it is now called `{prefix}{'.'.join([*keys, RENAMED[last]])}`"
        return f"config: unknown key `{key}`{nearest(last, fields)}"
    key = prefix + ".".join(_follow(model, location)[0])
    if first["type"] == "missing":
        return f"config: the key `{key}` is missing"
    if first["type"] == "union_tag_invalid":
        tags = _members(_follow(model, location)[1])
        return f"config: `{key}.kind`: unknown kind `{first['ctx']['tag']}`{nearest(first['ctx']['tag'], tags)}"
    given = "" if isinstance(first["input"], dict) else f" (given: {_shown(first['input'])})"
    if not (key := key.rstrip(".")):
        return f"config: {first['msg'].removeprefix('Value error, ')}"
    return f"config: `{key}`: {first['msg'].removeprefix('Value error, ')}{given}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: "; did you mean `...`?", or a list of the known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known) or 'none'}"


def _follow(kind: Any, location: list[str]) -> tuple[list[str], Any]:
    """Return the config keys that lead to a location inside the type `kind`, and the type at that location.

    pydantic's locations also contain its names for the members of a union, which are not config keys and are left out.
    """
    keys = []
    for part in location:
        members = _members(kind)
        if part in members:
            kind = members[part]
        else:
            keys.append(part)
            kind = _inner(kind, part)
    return keys, kind


def _fields(kind: Any) -> list[str]:
    model = _model(kind)
    return list(model.model_fields) if model else []


def _inner(kind: Any, part: str) -> Any:
    """Return the type under a key of a model or mapping, or under an index of a list."""
    if model := _model(kind):
        return model.model_fields[part].annotation if part in model.model_fields else None
    kind = _plain(kind)
    return get_args(kind)[-1] if get_origin(kind) in (dict, list) else kind


def _model(kind: Any) -> type[BaseModel] | None:
    """Return the model that `kind` is or, if it is a union, its first member that is a model; None if there is none."""
    kinds = [_plain(kind), *_members(kind).values()]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _members(kind: Any) -> dict[str, Any]:
    """Return the members of a union by pydantic's names for them (a tag or the type's name); empty if `kind` is not a union."""
    kind = _plain(kind)
    if get_origin(kind) not in (Union, types.UnionType):
        return {}
    tags = {id(k): m.tag for k in get_args(kind) for m in getattr(k, "__metadata__", ()) if isinstance(m, Tag)}
    return {str(tags.get(id(k)) or getattr(_plain(k), "__name__", k)): _plain(k) for k in get_args(kind)}


def _plain(kind: Any) -> Any:
    """Return the type without its `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [k for k in get_args(kind) if k is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else kind
    return kind
