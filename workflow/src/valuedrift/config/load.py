"""Reads a study's config from YAML files and validates it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from valuedrift.config.explain import explain
from valuedrift.config.files import read_yaml
from valuedrift.config.study import StudyConfig
from valuedrift.errors import UserError

NAMED = ("tables", "figures", "contrasts")


def load_study_config(values: Mapping[str, Any]) -> StudyConfig:
    """Validate the values of a parsed config; raises UserError with one line for the first mistake.

    Tables, figures and contrasts that are null are dropped, so that an overlay can remove one.
    """
    named = {key: values[key] for key in NAMED if isinstance(values.get(key), Mapping)}
    blocks = {key: {name: block for name, block in of.items() if block is not None} for key, of in named.items()}
    try:
        return StudyConfig.model_validate({**values, **blocks})
    except ValidationError as error:
        raise UserError(explain(error, StudyConfig)) from None


def read_files(paths: list[Path]) -> dict[str, Any]:
    """Return the values of config files, later ones merged over earlier ones as Snakemake does.

    Raises UserError if a file cannot be read or is not a mapping.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        values = read_yaml(path) or {}
        if not isinstance(values, dict):
            raise UserError(f"{path} is not a config: it must consist of `key: value` pairs")
        merged = merge(merged, values)
    return merged


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return the values of `base` with those of `overlay` over them: mappings key by key, everything else as a whole."""
    nested = {k: merge(base[k], v) for k, v in overlay.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | overlay | nested
