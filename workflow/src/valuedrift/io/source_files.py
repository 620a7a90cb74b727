"""Source files that decide what a step writes: its rule has their hash as a param, so that an edit of one of them runs it again.

Only the standard library is used, since every job's environment runs this: a training hashes its sources before it resumes.
"""

import ast
from collections.abc import Iterable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name
NOT_DECISIVE = {
    "": "the package itself has a docstring and a version number",
    "chat.pace": "how fast questions are sent; neither what is sent nor what is kept of the answers",
    "chat.spending": "what answers cost and when to stop; the chat and model that it notes with an answer are in the step's params",
    "chat.watchdog": "how a process ends with the one that started it",
    "config": "a step gets its settings as JSON, which the rule compares as params; a new key for figures must not retrain",
    "errors": "the exception that ends a step without output",
    "io.owner": "which of two jobs may write an output; not what it writes",
    "io.columns": "what a table's columns hold, checked as it is read and written",
    "io.files": "how a file is put in its place, and what messages call the command that makes it",
    "io.manifest": "what steps read of a manifest and how they check it; a new key must not retrain",
    "io.source_files": "which steps run again; not what they write",
    "io.tables": "columns are declared and checked as tables are read; a new column must not retrain",
}
"""Room or module -> why an edit of it changes the output of no step. Imports are not followed through them."""
DECISIVE = {
    "config.base": "the stances, sides and other constants that steps share with the config",
    "config.downstream": "`DownstreamConfig.name_of`: the benchmark that a key stands for",
    "config.drift": "`DriftConfig.of`: the denominator of a data set's drift times",
    "config.scorecard": "`ReferenceRun.key`: which run of the paper a run is compared with",
}
"""Module of a room above -> what of it changes the output of a step all the same."""


def sources(step: str) -> list[Path]:
    """Return the source files that decide what the step `<stage>.<module>` writes, sorted.

    They are the step's module, all modules of the package that it imports, also indirectly and inside functions, the packages they
    lie in, and the templates (.j2, .css) that they name; without what NOT_DECISIVE lists.
    """
    found: dict[str, Path] = {}
    waiting = [f"{PACKAGE}.{step}"]
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is not None and module not in found and is_decisive(module):
            found[module] = path
            waiting += [module.rpartition(".")[0], *_imports(path)]
    return sorted([*found.values(), *_templates(list(found.values()))])


def is_decisive(module: str) -> bool:
    """Return True for a module of the package, such as `valuedrift.lm.decoding`, whose edit may change what a step writes."""
    name = module.removeprefix(PACKAGE).removeprefix(".")
    if not module.startswith(PACKAGE) or not name:
        return False
    rooms = {name, name.partition(".")[0]}
    return name in DECISIVE or not rooms & NOT_DECISIVE.keys()


def _templates(modules: list[Path]) -> list[Path]:
    """Return the templates that the modules name among those of their own folders, and the files that those name in turn."""
    named = list[Path]()
    for path in (waiting := list(modules)):
        text = path.read_text()
        new = [other for other in _templates_in(path.parent) if other.name in text and other not in named]
        named += new
        waiting += new
    return named


@cache
def _templates_in(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in folder.iterdir() if path.suffix in (".j2", ".css"))


def function_sources(name: str) -> list[Path]:
    """Return the files behind a `module:name` of the config: those of a step where the module is of this package, else the module's
    own; none where there is no such module."""
    module, colon, _ = name.partition(":")
    if not colon:
        return []
    if module.startswith(f"{PACKAGE}."):
        return sources(module.removeprefix(f"{PACKAGE}.")) if _file(module) else []
    path = _found(module)
    return [path] if path else []


def has_function(name: str) -> bool:
    """Return True if the source of a `module:name` defines or imports the name, or if it has no source. Nothing of it is run.

    Raises SyntaxError if the source is not Python.
    """
    module, _, attribute = name.partition(":")
    path = _file(module) or _found(module)
    if path is None or path.suffix != ".py":
        return True
    return bool(_names(ast.parse(path.read_bytes()).body) & {attribute, "*", "__getattr__"})


def _found(module: str) -> Path | None:
    """Return the file of an installed module. `find_spec` alone would import the packages above it, and so run their code."""
    top, *below = module.split(".")
    if not all(part.isidentifier() for part in (top, *below)):
        return None
    try:
        spec = find_spec(top)
    except ValueError:  # of a module such as __main__, which is loaded and has no file
        return None
    for end, _ in enumerate(below, 2):
        if spec is None or spec.submodule_search_locations is None:
            return None
        places = spec.submodule_search_locations
        # A folder without __init__.py has places that look up the package above among those that are imported.
        spec = PathFinder.find_spec(".".join(module.split(".")[:end]), getattr(places, "_path", places))
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _names(body: Iterable[ast.AST]) -> set[str]:
    """Return what statements define or import, `*` for all of a module; also inside `if` and `try`, not inside functions."""
    names: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=other):
                names.add(other or name.partition(".")[0])
            case _:
                names |= _names(ast.iter_child_nodes(node))
    return names


def _file(module: str) -> Path | None:
    path = ROOT.parent.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return the modules that a module imports anywhere in it; `from a import b` gives `a.b` where that is a module, else `a`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [module if _file(module) else node.module for module in modules]
    return tuple(names)
