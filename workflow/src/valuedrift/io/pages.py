"""HTML pages: one set-up of the templates for all of them, everything escaped, nothing missing unseen."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def fill(template: Path, context: Mapping[str, object], **filters: Callable[..., object]) -> str:
    """The template filled in; it may include the files beside it."""
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(filters)
    return environment.get_template(template.name).render(context)
