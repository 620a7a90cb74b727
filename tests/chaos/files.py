"""Files that rot: bits flipped, ends cut, contents lost. What reads such a file says so and names it, or reads what was written."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from chaos.corrupt import empty, flip, truncate
from chaos.outcome import Outcomes
from chaos.studies import CHILD, PARENT, RESULTS, contents
from clone import Clone

DAMAGES = {"flipped bit": flip, "cut file": truncate, "emptied file": empty}
TABLES = {
    "PROMPTS": "prompts/prompts.parquet", "PREFERENCE_SET": "data/synthetic.parquet",
    "GENERATIONS": f"runs/{PARENT}/generations.parquet", "STANCES": f"runs/{PARENT}/stances/mini-judge.parquet",
    "VALUES": f"runs/{PARENT}/values.parquet", "DRIFT": "drift.parquet", "TRAINING_LOG": f"runs/{CHILD}/training_log.parquet",
    "ORDERS": "judges/mini-judge/orders.parquet",
}  # fmt: skip
READ_AT_ONCE = 100
READER = """
import json, sys
from pathlib import Path
from valuedrift.errors import UserError
from valuedrift.io import tables
table, written = getattr(tables, sys.argv[1]), tables.pl.read_parquet(sys.argv[2])
for line in sys.stdin:
    path = Path(line.strip())
    try:
        found = "equal" if table.read(path).equals(table.check(written, "it")) else "other data"
    except UserError as error:
        found = "named" if str(path) in str(error) else f"an error that does not name it: {error}"
    except BaseException as error:
        found = f"{type(error).__name__}: {error}"
    print(json.dumps(found), flush=True)
"""
# A damaged file → what is made from it.
READ_BY = {
    f"runs/{PARENT}/generations.parquet": f"runs/{PARENT}/stances/mini-judge.parquet",
    f"runs/{PARENT}/stances/mini-judge.parquet": f"runs/{PARENT}/values.parquet",
    f"runs/{CHILD}/values.parquet": f"runs/{CHILD}/drift.parquet",
    f"runs/{CHILD}/drift.parquet": "drift.parquet",
    "drift.parquet": "tables/everything.csv",
    "judges/mini-judge/orders.parquet": "report.html",
    "prompts/prompts.parquet": f"runs/{CHILD}/stances/mini-judge.parquet",
    "data/synthetic.parquet": f"runs/{CHILD}/manifest.json",
    f"runs/{PARENT}/manifest.json": f"runs/{PARENT}/generations.parquet",
    f"runs/{PARENT}/final/model.safetensors": f"runs/{CHILD}/manifest.json",
    f"runs/{PARENT}/stances/api.ledger.sqlite": f"runs/{PARENT}/stances/api.parquet",
    "../world/base/model.safetensors": f"runs/{PARENT}/manifest.json",
}
NOT_FLIPPED = ".sqlite"
"""SQLite's pages have no checksums: a flipped bit in an answer cannot be noticed."""
COMMANDS = {"plan": ("plan",), "prune": ("prune", "--dry-run"), "runs": ("runs",)}


def read(finished: Clone, scratch: Path, random: Random, outcomes: Outcomes) -> None:
    """Damage one table of the study a hundred times and read it each time, in a process that may die of it."""
    name = random.choice(list(TABLES))
    written = finished.folder / RESULTS / TABLES[name]
    scratch.mkdir()
    for start in range(READ_AT_ONCE):
        path = scratch / f"{start}.parquet"
        shutil.copy(written, path)
        (flip if start % 10 else truncate)(path, random)
    began, paths = time.monotonic(), sorted(scratch.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", READER, name, str(written)], input="\n".join(map(str, paths)), env=finished.environment, text=True,
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    found += ["the reading process died"] * (len(paths) > len(found))
    bad = [one for one in found if one not in ("equal", "named")]
    problem = f"{name}: {len(bad)} of {len(paths)} damaged files, such as: {bad[0]}" if bad else None
    outcomes.tried(f"{READ_AT_ONCE} damaged copies of a table", "each is named in one line, or read as written", began, problem)
    shutil.rmtree(scratch)


def remake(finished: Clone, config: dict, undisturbed: dict[str, str], scratch: Path, random: Random, outcomes: Outcomes) -> None:
    """Damage a file, make what is made from it, and follow the message: its command, then the target again."""
    began = time.monotonic()
    name = random.choice(list(READ_BY))
    damages = [kind for kind in DAMAGES if kind != "flipped bit" or not name.endswith(NOT_FLIPPED)]
    damage = random.choice(damages)
    clone, target = finished.copy(scratch), READ_BY[name]
    damaged(clone.folder / RESULTS / name, damage, random)
    (clone.folder / RESULTS / target).unlink()
    problem = _remade(clone, config, undisturbed, name, target)
    outcomes.tried(
        f"{damage}, read by the next step", "the message names the file, and its command leads to the undisturbed result", began,
        problem and f"{name}, read for {target}: {problem}",
    )  # fmt: skip
    shutil.rmtree(clone.folder)


def commands(finished: Clone, config: dict, scratch: Path, random: Random, outcomes: Outcomes) -> None:
    """Damage a file and call what looks at a whole study; no traceback comes, and where the command fails, it names the file."""
    clone = finished.copy(scratch)
    name = random.choice([name for name in READ_BY if name.endswith((".parquet", ".json"))])
    damage = random.choice(list(DAMAGES))
    damaged(clone.folder / RESULTS / name, damage, random)
    study = clone.write(config)
    calls = {f"python -m valuedrift {command}": ["valuedrift", *words, "--config", study] for command, words in COMMANDS.items()}
    calls["a dry run"] = ["snakemake", "--dry-run", "--profile", "profiles/local", "--configfile", study]
    for command, words in calls.items():
        began = time.monotonic()
        done = subprocess.run(
            [str(clone.python), "-m", *words], cwd=clone.folder, env=clone.environment, text=True, capture_output=True, check=False
        )
        output = done.stdout + done.stderr
        problem = _traceback(output) or (
            f"failed without naming it: {output[-300:]}" if done.returncode and name not in output else None
        )
        outcomes.tried(
            f"{command} over a damaged file",
            "goes on, or names the file in one line",
            began,
            problem and f"{damage}, {name}: {problem}",
        )
    shutil.rmtree(clone.folder)


def damaged(path: Path, damage: str, random: Random) -> None:
    """Damage a file as a disk does: its time stays, and no other link to it is touched."""
    before = path.stat()
    path.unlink() if path.is_symlink() else None
    fresh = path.with_name(f"{path.name}.fresh")
    shutil.copy(path, fresh)
    fresh.replace(path)
    DAMAGES[damage](path, random)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _remade(clone: Clone, config: dict, undisturbed: dict[str, str], name: str, target: str) -> str | None:
    """Return what is wrong, or None where the target was made equal, or the message led to it."""
    path = f"{RESULTS}/{target}"
    output = _run(clone, config, path)
    if _traceback(output):
        return _traceback(output)
    if (clone.folder / path).exists():
        return _compared(clone, undisturbed, target)
    if Path(name).name not in output:
        return f"failed without naming it: {output[-500:]}"
    if ".sqlite" in name:  # what is paid for is not deleted by a command: the message says to move it away
        (clone.folder / RESULTS / name).unlink()
    elif command := re.search(r"snakemake (\S+) --force", output):
        _run(clone, config, command[1], "--force")
    elif name.startswith("../world"):
        return None  # a user's own file: named, and nothing here can make it again
    else:
        return f"no command in the message: {output[-500:]}"
    output = _run(clone, config, path)
    return _compared(clone, undisturbed, target) if (clone.folder / path).exists() else f"not made afterwards: {output[-500:]}"


def _run(clone: Clone, config: dict, *arguments: str) -> str:
    """Return what Snakemake and the steps that it ran printed; a chat model's answers stay as the undisturbed study had them."""
    began = time.time()
    output = clone.run(config, *arguments, check=False)
    logs = [path for path in (clone.folder / RESULTS / "logs").rglob("*.log") if path.stat().st_mtime >= began - 1]
    return "\n".join([output, *(path.read_text(errors="replace") for path in logs)])


def _compared(clone: Clone, undisturbed: dict[str, str], target: str) -> str | None:
    return None if contents(clone).get(target) == undisturbed[target] else "another result, and no word of it"


def _traceback(output: str) -> str | None:
    _, found, rest = output.partition("Traceback (most recent call last)")
    error = next((line for line in rest.splitlines()[1:] if line and not line.startswith(" ")), rest[-300:])
    return f"a traceback: {error}" if found else None
