"""Reads a study's config from files and checks it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from valuedrift.config.explain import explain
from valuedrift.config.study import StudyConfig
from valuedrift.errors import UserError


def load_study_config(values: Mapping[str, Any]) -> StudyConfig:
    """Check a parsed config file; raises UserError with one line for the first thing that is wrong.

    A table or figure that is null is left out: so an overlay takes one away.
    """
    blocks = {key: {n: b for n, b in values[key].items() if b is not None} for key in ("tables", "figures") if values.get(key)}
    try:
        return StudyConfig.model_validate({**values, **blocks})
    except ValidationError as error:
        raise UserError(explain(error, StudyConfig)) from None


def read(paths: list[Path]) -> dict[str, Any]:
    """The merged values of several config files; raises UserError for one that cannot be read."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} is no config: it holds no keys")
        merged = merge(merged, values)
    return merged


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The values of `below` with those of `above` over them: mappings key by key, everything else as a whole."""
    deep = {k: merge(below[k], v) for k, v in above.items() if isinstance(v, dict) and isinstance(below.get(k), dict)}
    return below | above | deep
