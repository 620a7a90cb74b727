"""Reads YAML files, and refuses what is no honest config: doubled keys, exploding anchors, another encoding than UTF-8."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from valuedrift.errors import UserError

LARGEST = 10**6
"""Nodes of a config with its anchors written out; the paper's has 2,000."""


def read_yaml(path: Path) -> Any:
    """Return the values of a YAML file; raises UserError with one line if it cannot be read."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8-sig"))  # not that in C, which 100,000 brackets crash
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {}, path)
        return loader.construct_document(node)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start + 1:,} is not): save it as UTF-8") from None
    except RecursionError:
        raise UserError(f"{path} cannot be read: it is nested too deeply") from None
    except (OSError, yaml.YAMLError, ValueError) as error:  # the last of a date that does not exist
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _size(node: Any, sizes: dict[int, int], path: Path) -> int:
    """Return how many nodes there are below this one, each anchor counted wherever it is used."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    where = f"{path}, line {node.start_mark.line + 1}"
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise UserError(f"{where}: an anchor contains itself; write its values out")
        return sizes[id(node)]
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, path)
    size = 1 + sum(_size(part, sizes, path) for part in _parts(node))
    if size > LARGEST:
        raise UserError(f"{where}: its anchors, written out, give more than {LARGEST:,} values")
    sizes[id(node)] = size
    return size


def _parts(node: Any) -> Iterator[Any]:
    for part in node.value:
        yield from part if isinstance(node, yaml.MappingNode) else (part,)


def _check_keys(node: Any, path: Path) -> None:
    """Raise UserError for a key that is given twice: of the two values, YAML would take the last without a word."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and lines.setdefault(key.value, line) != line and key.value != "<<":
            raise UserError(f"{path}, line {line}: the key {key.value!r:.80} is in line {lines[key.value]} already; keep one")
