import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from chat_faults import FAULTS, right

pytestmark = pytest.mark.engines
CONCURRENCY = 64
KINDS = {name for name, fault in FAULTS.items() if fault.weight}
JOB = """
import json, sys
from pathlib import Path
from tenacity import wait_random_exponential
from valuedrift.chat import failures
from valuedrift.chat.messages import Request
from valuedrift.chat.client import ask
failures.BACKOFF = wait_random_exponential(multiplier=0.05, max=1)
from valuedrift.config.chat import ChatJob
address, folder, questions, concurrency = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
config = ChatJob(name="talk", spending=str(folder / "spending"), model="talker", base_url=address, max_tokens=1,
                 concurrency=concurrency, timeout=3)
replies = ask([Request(f"question {number}", logprobs=20) for number in range(questions)], config, folder / "answers.sqlite")
print(json.dumps([[reply.text, reply.problem, [place.likeliest for place in reply.places]] for reply in replies]))
"""


@pytest.fixture
def server():
    """The address of a faulty server in a process of its own, so that it and the asking job do not wait for each other."""
    script = Path(__file__).with_name("faulty_server.py")
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def counts(address) -> dict[str, Counter]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{address}/counts") as said:
        return {name: Counter(counted) for name, counted in json.load(said).items()}


def job(address, folder, questions) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", JOB, address, str(folder), str(questions), str(CONCURRENCY)],
        stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=":".join(sys.path)), text=True,
    )  # fmt: skip


def every_right_answer(questions):
    """What the job prints where each question has its own answer."""
    found = (right(f"question {number}") for number in range(questions))
    return [[letter, None, [[list(pair) for pair in likeliest]]] for letter, likeliest in found]


def test_of_5000_calls_that_fail_in_every_way_each_is_answered_once_rightly_and_paid_once(server, tmp_path):
    began = time.monotonic()
    printed, _ = job(server, tmp_path, 5000).communicate()
    took, counted = time.monotonic() - began, counts(server)
    assert json.loads(printed) == every_right_answer(5000)
    assert set(counted["right"].values()) == {1} and len(counted["right"]) == 5000
    calls, faults = counted["calls"].total(), counted["faults"]
    useless = sum(count for name, count in faults.items() if not FAULTS[name].right)
    assert calls == 5000 + useless  # no call but those needed
    assert set(faults) == KINDS
    assert 0.17 < faults.total() / calls < 0.23
    print(f"\n{calls} calls, {faults.total()} of which failed ({dict(faults)}), 5000 answered rightly, none twice, in {took:.0f} s")


def test_a_job_killed_amid_faults_resumes_to_the_same_answers_and_pays_again_only_what_was_under_way(server, tmp_path):
    killed = job(server, tmp_path, 2000)
    until = time.monotonic() + 60
    while counts(server)["right"].total() < 1000 and time.monotonic() < until:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = counts(server)["right"].total()
    assert 1000 <= before < 2000
    kept = sqlite3.connect(tmp_path / "answers.sqlite").execute("SELECT count(*) FROM answers").fetchone()[0]
    printed, _ = job(server, tmp_path, 2000).communicate()
    assert json.loads(printed) == every_right_answer(2000)
    paid = counts(server)["right"]
    twice = paid.total() - 2000
    # Those that the server was answering when the job was killed, and those that came while it last wrote.
    assert max(paid.values()) <= 2
    assert twice <= CONCURRENCY
    print(f"\nkilled at {before} paid answers, {kept} of them kept; {twice} paid twice")
