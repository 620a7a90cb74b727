"""Which source files a step consists of: the rule lists them as inputs, so that an edit of the code reruns the step."""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name
SHARED_LOGIC = {
    f"{PACKAGE}.{name}"
    for name in ("rows", "embedding", "chat.client", "judge_prompt", "refusals", "interval", "agreement", "vllm_start", "decoding")
}
"""Shared modules that decide results, not only form: what counts as a malformed row, how texts become vectors, what is asked of a
chat model or of a judge, what counts as a refusal, how sure a mean or an agreement is, how vLLM
takes weights, how tokens are drawn."""


def sources(step: str) -> list[Path]:
    """Files of `<stage>.<step>`, its package, every module of the same stage that it imports and the templates they name, sorted.

    Shared modules (config, frames, ...) are left out on purpose: a step takes its config as JSON and its tables are declared, and
    a new key for plots must not retrain. Imports inside functions count.
    """
    stage = step.split(".")[0]
    found: dict[str, Path] = {}
    waiting = [f"{PACKAGE}.{step}", f"{PACKAGE}.{stage}"]
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is not None and module not in found:
            found[module] = path
            waiting += [name for name in _imports(path) if name.startswith(f"{PACKAGE}.{stage}.") or name in SHARED_LOGIC]
    return sorted([*found.values(), *_templates(stage, list(found.values()))])


def _templates(stage: str, modules: list[Path]) -> list[Path]:
    """Templates of the stage whose names stand in the modules, and the files that those name in turn."""
    known, named = [path for path in (ROOT / stage).iterdir() if path.suffix in (".j2", ".css")], list[Path]()
    for path in (waiting := list(modules)):
        text = path.read_text()
        new = [other for other in known if other.name in text and other not in named]
        named += new
        waiting += new
    return named


def function_sources(name: str) -> list[Path]:
    """Files behind a `module:name` of the config: those of a step where the module is of this package, else the module's own."""
    module, colon, _ = name.partition(":")
    if not colon:
        return []
    if module.startswith(f"{PACKAGE}."):
        return sources(module.removeprefix(f"{PACKAGE}.")) if _file(module) else []
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    return [Path(spec.origin)] if spec and spec.origin else []


def has_function(name: str) -> bool:
    """Whether the source of a `module:name` defines or imports the name; nothing of it is run. True where there is no source."""
    module, _, attribute = name.partition(":")
    path = _file(module) or next(iter(function_sources(name)), None)
    if path is None or path.suffix != ".py":
        return True
    defined = r"^(?:def|class) {0}\b|^{0}\b[^=\n]*=|^(?:from|import)\b[^#]*?\b{0}\b".replace("{0}", re.escape(attribute))
    return re.search(defined, path.read_text(), re.MULTILINE) is not None


def _file(module: str) -> Path | None:
    path = ROOT.parent.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
