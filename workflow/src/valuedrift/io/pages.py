"""HTML pages: one set-up of the templates for all of them, which escapes everything and fails on missing values."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def fill(template: Path, context: Mapping[str, object], **filters: Callable[..., object]) -> str:
    """Return the template filled in; it may include files of its own folder."""
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(filters)
    return environment.get_template(template.name).render(context)
