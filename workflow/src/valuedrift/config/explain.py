"""One-line messages for a config that does not fit its models."""

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One line for the first error: the key, what is wrong, and the nearest valid key where the key is unknown."""
    # An unknown key is often the cause of a missing one, so it is named first.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    location = [str(part) for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
    if first["type"] == "extra_forbidden":
        *way, last = location
        keys, block = _follow(model, way)
        return f"config: unknown key `{prefix}{'.'.join([*keys, last])}`{nearest(last, _fields(block))}"
    key = prefix + ".".join(_follow(model, location)[0])
    if first["type"] == "missing":
        return f"config: the key `{key}` is missing"
    if first["type"] == "union_tag_invalid":
        tags = _members(_follow(model, location)[1])
        return f"config: `{key}.kind`: unknown kind `{first['ctx']['tag']}`{nearest(first['ctx']['tag'], tags)}"
    given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
    if not (key := key.rstrip(".")):
        return f"config: {first['msg'].removeprefix('Value error, ')}"
    return f"config: `{key}`: {first['msg'].removeprefix('Value error, ')}{given}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or the names that there are."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are: {', '.join(known) or 'none'}"


def _follow(kind: Any, location: list[str]) -> tuple[list[str], Any]:
    """The keys on the way to a location inside `kind`, and what is there: pydantic's names for a union's members are no keys."""
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
    """What lies under a key or an index."""
    if model := _model(kind):
        return model.model_fields[part].annotation if part in model.model_fields else None
    kind = _plain(kind)
    return get_args(kind)[-1] if get_origin(kind) in (dict, list) else kind


def _model(kind: Any) -> type[BaseModel] | None:
    """The model that `kind` is, or the first one where it is a union."""
    kinds = [_plain(kind), *_members(kind).values()]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def _members(kind: Any) -> dict[str, Any]:
    """The members of a union by pydantic's names for them, a tag or the type's own; none where `kind` is something else."""
    kind = _plain(kind)
    if get_origin(kind) not in (Union, types.UnionType):
        return {}
    tags = {id(k): m.tag for k in get_args(kind) for m in getattr(k, "__metadata__", ()) if isinstance(m, Tag)}
    return {str(tags.get(id(k)) or getattr(_plain(k), "__name__", k)): _plain(k) for k in get_args(kind)}


def _plain(kind: Any) -> Any:
    """A type without its `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [k for k in get_args(kind) if k is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else kind
    return kind
