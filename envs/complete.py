"""Writes into each env file what its own requirements need in turn, at the lock's versions: `python envs/complete.py`.

Snakemake copies an env file before conda reads it, so a `-c lock.txt` in it would point nowhere: the list must be whole. Run it in
`.venv` after an edit of an env's own requirements or of the lock.
"""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVS = Path(__file__).parent
PIN = re.compile(r"^ *(?:- )?([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
MARK = "      # What those need, as locked; written by envs/complete.py.\n"


def pins(text: str) -> dict[str, str]:
    """Package → version of the lines `name==version`."""
    return {canonicalize_name(name): version for name, version in PIN.findall(text)}


def locked(env: str) -> dict[str, str]:
    """What pip installs where there is no conda: vLLM's installation lies beside the study's."""
    files = ["vllm-gpu.txt"] if env == "vllm.yaml" else ["lock.txt", "minilm.txt"]
    return {name: version for file in files for name, version in pins((ENVS / file).read_text()).items()}


def needed(names: set[str]) -> set[str]:
    """The packages that these need in turn on this platform, as their installed metadata say."""
    found: set[str] = set()
    waiting = [(name, "") for name in names]
    done: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        found.add(name)
        for requirement in map(Requirement, requires(name) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), extra) for extra in ("", *requirement.extras)]
    return found - names


def completed(env: str) -> str:
    """The text of an env file, made whole."""
    own = (ENVS / env).read_text().split(MARK)[0]
    lock, names = locked(env), set(pins(own))
    rest = set(lock) - names if env == "vllm.yaml" else needed(names)
    return own + MARK + "".join(f"      - {name}=={lock[name]}\n" for name in sorted(rest))


if __name__ == "__main__":
    for path in sorted(ENVS.glob("*.yaml")):
        path.write_text(completed(path.name))
