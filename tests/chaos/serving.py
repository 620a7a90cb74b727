"""A chat server that fails: in one way or in several, in some calls with a question or in all of them."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from random import Random

from chaos.outcome import Outcomes
from chaos.studies import KEY
from chat.chat_faults import FAULTS, right

SERVER = Path(__file__).parents[1] / "chat" / "faulty_server.py"
PROMISE = "right answers or reasons, all that was paid for counted, once; no key anywhere; bounded time and memory"
QUESTIONS, CONCURRENCY, TIMEOUT, ATTEMPTS = 30, 8, 2, 4
LONGEST = 300.0
"""Seconds. Each question is tried `ATTEMPTS` times for `TIMEOUT` seconds, one after the other where a server is always too slow."""
MEMORY = 1_000_000
"""kB. The job's own libraries take 0.2 GB."""
JOB = f"""
import json, sys
from pathlib import Path
from tenacity import wait_random_exponential
from valuedrift.chat import failures
from valuedrift.chat.client import ask
from valuedrift.chat.messages import Request
from valuedrift.config.chat import ChatJob
from valuedrift.errors import UserError
failures.BACKOFF = wait_random_exponential(multiplier=0.05, max=1)
folder = Path(sys.argv[2])
config = ChatJob(
    name="talk", model="talker", base_url=sys.argv[1], key_variable="CHAOS_KEY", max_tokens=1, timeout={TIMEOUT}, attempts={ATTEMPTS},
    concurrency={CONCURRENCY}, spending=str(folder / "spending"), price={{"input": 2.5, "output": 10, "day": "2026-05-01"}},
)
try:
    replies = ask([Request(f"question {{n}}", logprobs=20) for n in range({QUESTIONS})], config, folder / "answers.sqlite")
except UserError as error:
    sys.exit(str(error))
print(json.dumps([[reply.text, reply.problem, [place.likeliest for place in reply.places]] for reply in replies]))
"""


def attack(environment: dict[str, str], scratch: Path, random: Random, outcomes: Outcomes) -> None:
    """Ask a server that fails in a random way, twice, and look at what was answered, counted, kept and printed."""
    names = [random.choice(list(FAULTS))] if random.random() < 0.7 else [name for name, fault in FAULTS.items() if fault.weight]
    share, calls = random.choice((0.1, 0.3, 1.0)), random.choice((0, 2))
    chosen = ["--faults", *names, "--share", str(share), "--calls", str(calls), "--seed", str(random.randrange(1000))]
    scratch.mkdir()
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, str(SERVER), *chosen], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin and server.stdout
        address = server.stdout.readline().strip()
        problem = _problem(address, environment, scratch, names)
        server.stdin.close()
    kind = names[0] if len(names) == 1 else "all usual faults at once"
    details = f"share {share}, {'every call' if calls == 0 else 'the first two calls'} of a question"
    outcomes.tried(f"server: {kind}", PROMISE, began, problem and f"{details}: {problem}")


def _problem(address: str, environment: dict[str, str], folder: Path, names: list[str]) -> str | None:
    status, memory = _asked(address, environment, folder)
    said, counted = (folder / "said").read_text(), _counts(address)
    paid, spent = sum(counted["paid"].values()), _spent(folder)
    for broken, problem in {
        status is None: f"still asking after {LONGEST:.0f} s",
        "Traceback" in said: f"a traceback: {said[-300:]}",
        memory > MEMORY: f"{memory} kB of memory",
        bool(counted["leaked"]): "questions went to another origin",
        # Less those whose deadline passed before the first byte came, of which a client cannot know.
        spent["calls"] < paid - CONCURRENCY: f"{spent['calls']} calls are counted, {paid} were paid",
        not 0 <= spent["dollars"] < 1: f"{spent['dollars']} dollars for {paid} answers",
        not said.strip(): "no word",
    }.items():
        if broken:
            return problem
    half = KEY[: len(KEY) // 2].encode()
    if where := [path.name for path in folder.rglob("*") if path.is_file() and half in path.read_bytes()]:
        return f"the key is in {', '.join(where)}"
    if status:
        return None  # with a reason, and all that was answered is kept
    if problem := _wrong(json.loads((folder / "printed").read_text()), names):
        return problem
    again, _ = _asked(address, environment, folder)
    more = sum(_counts(address)["calls"].values()) - sum(counted["calls"].values())
    return f"a second run makes {more} calls (status {again})" if more else None


def _asked(address: str, environment: dict[str, str], folder: Path) -> tuple[int | None, int]:
    """Return the status of a job that asks all questions, None where it had to be ended, and its largest memory in kB."""
    with (folder / "printed").open("w") as printed, (folder / "said").open("w") as said:
        job = subprocess.Popen([sys.executable, "-c", JOB, address, str(folder)], env=environment, stdout=printed, stderr=said)
    end, ended = time.monotonic() + LONGEST, 0
    while not ended:
        if time.monotonic() > end:
            job.kill()
        time.sleep(0.1)
        ended, status, used = os.wait4(job.pid, os.WNOHANG)
    job.returncode = os.waitstatus_to_exitcode(status)  # for Popen, whose own wait would find nothing
    return (None if time.monotonic() > end else job.returncode), used.ru_maxrss


def _wrong(replies: list, names: list[str]) -> str | None:
    """Return the first reply that has another question's text or logprobs."""
    for number, (text, _, places) in enumerate(replies):
        letter, likeliest = right(f"question {number}")
        if text not in (None, "", letter) and names != ["key in the text"]:
            return f"question {number} is answered by {text[:50]!r}"
        if places and places[0] != [list(pair) for pair in likeliest]:
            return f"question {number} has another's logprobs"
    return None


def _counts(address: str) -> dict[str, dict[str, int]]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{address}/counts") as said:
        return dict(json.load(said))


def _spent(folder: Path) -> dict[str, float]:
    records = [json.loads(path.read_text()) for path in (folder / "spending").glob("*.json")]
    return {name: sum(record[name] for record in records) for name in ("calls", "dollars")}
